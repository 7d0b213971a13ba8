#include "solopo/objectives/sft.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("SFT is the mean negative log-likelihood over the response's own tokens") {
  const PairLoss<double> g = SFT{}(simple_pair<double>());
  CHECK(g.loss == 1.5);
  CHECK(g.chosen == -0.125);
  CHECK(g.rejected == 0);
}

TEST_CASE("SFT has a true gradient, honest needs, and agrees in float") { check_objective(SFT{}); }

TEST_CASE("SFT needs nothing but the chosen response") { CHECK(SFT::needs == Needs::chosen); }
