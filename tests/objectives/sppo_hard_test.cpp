#include "solopo/objectives/sppo_hard.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("SPPO pulls the log-ratios to plus and minus half the inverse beta") {
  const PairLoss<double> g = SPPO{.beta = 0.25f}(simple_pair<double>());  // targets 2, -2: (1 - 2)^2 + 0
  CHECK(g.loss == 1);
  CHECK(g.chosen == -2);
  CHECK(g.rejected == 0);
}

TEST_CASE("SPPO has a true gradient, honest needs, and agrees in float") {
  check_objective(SPPO{});
  check_objective(SPPO{.beta = 0.5f});
}
