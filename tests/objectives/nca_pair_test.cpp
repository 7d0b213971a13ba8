#include "solopo/objectives/nca_pair.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("NCA judges each reward by itself") {
  // r_w = 0.5, r_l = -1
  const double expected = softplus(-0.5) + softplus(0.5) / 2 + softplus(-1.0) / 2;
  const PairLoss<double> g = NCA{.beta = 0.5f}(simple_pair<double>());
  CHECK(g.loss == Approx(expected).epsilon(1e-14));
  CHECK(g.chosen == Approx(0.5 * (-sigmoid(-0.5) + sigmoid(0.5) / 2)).epsilon(1e-14));
  CHECK(g.rejected == Approx(0.5 * sigmoid(-1.0) / 2).epsilon(1e-14));
}

TEST_CASE("NCA keeps the chosen response from falling: its gradient vanishes at a reward of ln 2") {
  Pair<double> p = simple_pair<double>();
  p.chosen.logp = p.chosen.ref_logp + std::log(2.0) / 0.5;
  CHECK(NCA{.beta = 0.5f}(p).chosen == Approx(0).margin(1e-15));
}

TEST_CASE("NCA has a true gradient, honest needs, and agrees in float") {
  check_objective(NCA{.beta = 0.3f});
}
