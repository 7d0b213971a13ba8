#include "solopo/objectives/simper.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("SimPER is the difference of the inverse perplexities") {
  const PairLoss<double> g = SimPER{}(simple_pair<double>());
  CHECK(g.loss == Approx(-std::exp(-1.5) + std::exp(-2.0)).epsilon(1e-14));
  CHECK(g.chosen == Approx(-std::exp(-1.5) / 8).epsilon(1e-14));
  CHECK(g.rejected == Approx(std::exp(-2.0) / 10).epsilon(1e-14));
}

TEST_CASE("SimPER has a true gradient, honest needs, and agrees in float") { check_objective(SimPER{}); }
