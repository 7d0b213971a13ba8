#include "solopo/objectives/bco_pair.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("BCO for a pair classifies each reward against delta") {
  // r_w = 0.5, r_l = -1
  CHECK(BCOPair{.beta = 0.5f}(simple_pair<double>()).loss ==
        Approx(softplus(-0.5) + softplus(-1.0)).epsilon(1e-14));
  const PairLoss<double> g = BCOPair{.beta = 0.5f, .delta = 0.25f}(simple_pair<double>());
  CHECK(g.loss == Approx(softplus(-0.25) + softplus(-1.25)).epsilon(1e-14));
  CHECK(g.chosen == Approx(-0.5 * sigmoid(-0.25)).epsilon(1e-14));
  CHECK(g.rejected == Approx(0.5 * sigmoid(-1.25)).epsilon(1e-14));
}

TEST_CASE("BCO for a pair has a true gradient, honest needs, and agrees in float") {
  check_objective(BCOPair{});
  check_objective(BCOPair{.beta = 0.5f, .delta = -0.7f});
}
