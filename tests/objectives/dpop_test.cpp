#include "solopo/objectives/dpop.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;
#include "solopo/objectives/dpo.hpp"

TEST_CASE("DPOP is DPO while the chosen response is at least as likely as under the reference") {
  const Pair<double> p = simple_pair<double>();
  CHECK(same(DPOP{.beta = 0.5f, .lambda = 5}(p), DPO{.beta = 0.5f}(p)));
}

TEST_CASE("DPOP takes lambda times the chosen response's fall from the margin") {
  Pair<double> p = simple_pair<double>();
  p.chosen.logp = -14;  // x_w = -1, D = 1: 0.5 (1 - 2) = -0.5
  const PairLoss<double> g = DPOP{.beta = 0.5f, .lambda = 2}(p);
  CHECK(g.loss == Approx(softplus(0.5)).epsilon(1e-14));
  CHECK(g.chosen == Approx(-sigmoid(0.5) * 0.5 * 3).epsilon(1e-14));
  CHECK(g.rejected == Approx(sigmoid(0.5) * 0.5).epsilon(1e-14));
}

TEST_CASE("DPOP has a true gradient, honest needs, and agrees in float") {
  check_objective(DPOP{.beta = 0.1f, .lambda = 2});
}
