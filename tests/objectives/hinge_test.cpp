#include "solopo/objectives/hinge.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("Hinge is 1 - beta D below its kink") {
  const PairLoss<double> g = Hinge{.beta = 0.25f}(simple_pair<double>());  // D = 3
  CHECK(g.loss == 0.25);
  CHECK(g.chosen == -0.25);
  CHECK(g.rejected == 0.25);
}

TEST_CASE("Hinge has a true gradient, honest needs, and agrees in float") {
  check_objective(Hinge{.beta = 0.1f});
  check_objective(Hinge{.beta = 0.5f});
}

TEST_CASE("Hinge has the subgradient 0 at its kink, -beta before it and 0 behind it") {
  Pair<double> p = simple_pair<double>();
  const Hinge hinge{.beta = 0.25f};
  p.chosen.logp += 1;  // D = 4
  CHECK(hinge(p).loss == 0);
  CHECK(hinge(p).chosen == 0);
  p.chosen.logp -= 1e-9;
  CHECK(hinge(p).chosen == -0.25);
  p.chosen.logp += 2e-9;
  CHECK(hinge(p).chosen == 0);
}

TEST_CASE("Hinge of identical responses is 1") { CHECK(Hinge{}(identical_pair<double>()).loss == 1); }
