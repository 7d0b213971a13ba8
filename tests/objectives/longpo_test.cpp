#include "solopo/objectives/longpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("LongPO is language modelling of the long sequence and a little DPO") {
  const Pair<double> p = simple_pair<double>();  // log-ratios 1 and -2; the sequence -6 of 4 tokens
  const PairLoss<double> g = LongPO{.beta = 0.5f, .dpo_weight = 0.25f, .lm_weight = 2}(p);
  CHECK(g.loss == Approx(2 * 6.0 / 4 + 0.25 * softplus(-1.5)).epsilon(1e-14));
  CHECK(g.third == -0.5);
  CHECK(g.chosen == Approx(-0.25 * 0.5 * sigmoid(-1.5)).epsilon(1e-14));
}

TEST_CASE("LongPO without its language model is DPO") {
  for (const Pair<double>& p : random_pairs(10)) {
    const PairLoss<double> g = LongPO{.beta = 0.3f, .dpo_weight = 1, .lm_weight = 0}(p);
    const PairLoss<double> dpo = DPO{.beta = 0.3f}(p);
    CHECK(g.loss == Approx(dpo.loss).epsilon(1e-14));
    CHECK(g.rejected == Approx(dpo.rejected).epsilon(1e-14));
  }
}

TEST_CASE("LongPO has a true gradient, honest needs, and agrees in float") {
  check_objective(LongPO{});
  check_objective(LongPO{.beta = 0.5f, .dpo_weight = 1, .lm_weight = 0.5f, .label_smoothing = 0.1f});
}
