#include "solopo/objectives/beta_dpo.hpp"

#include "coupled_checks.hpp"
#include "solopo/objectives/dpo.hpp"

using namespace rule_checks;

TEST_CASE("Beta-DPO that keeps all and does not follow the batch is DPO") {
  const std::vector<Pair<double>> pairs = random_pairs(6, 3);
  const auto losses = losses_of(BetaDPO{.beta = 0.2f, .batch_weight = 0, .keep = 1}, pairs, {});
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const PairLoss<double> dpo = DPO{.beta = 0.2f}(pairs[i]);
    CHECK(losses[i].loss == Approx(dpo.loss).epsilon(1e-13));
    CHECK(losses[i].chosen == Approx(dpo.chosen).epsilon(1e-13));
  }
}

TEST_CASE("Beta-DPO's beta rises with the batch's margin and is never below a thousandth") {
  const std::vector<Pair<double>> pairs(2, simple_pair<double>());  // D = 3
  const BetaDPO objective{.beta = 0.1f, .batch_weight = 0.5f, .keep = 1};
  BetaDPO::State state{.margin = {.mean = 1, .deviation = 1}, .batches = 1};
  CHECK(losses_of(objective, pairs, state)[0].loss == Approx(softplus(-0.1 * 2 * 3)).epsilon(1e-7));
  state.margin.mean = 30;  // 0.1 (1 + 0.5 (3 - 30)) is negative
  CHECK(losses_of(objective, pairs, state)[0].loss == Approx(softplus(-0.001 * 3)).epsilon(1e-9));
}

TEST_CASE("Beta-DPO keeps floor(keep B) pairs, scales them to the batch, and repeats its draw") {
  const std::vector<Pair<double>> pairs = random_pairs(10, 9);
  const std::span<const Pair<double>> all(pairs);
  const BetaDPO objective{.keep = 0.8f};
  const BetaDPO::State state = objective.advanced({}, all);
  const std::vector<std::size_t> kept = objective.keep_of(all, state);
  CHECK(kept.size() == 8);
  CHECK(kept == objective.keep_of(all, state));
  const auto losses = losses_of(objective, pairs, state);
  std::size_t trained = 0;
  for (const PairLoss<double>& g : losses) trained += g.chosen != 0;
  CHECK(trained == 8);
  CHECK(objective.keep_of(all.first(1), state).size() == 1);
  BetaDPO::State later{.margin = {.mean = 0, .deviation = 20}, .batches = 0};
  std::size_t other = 0;
  for (later.batches = 2; later.batches < 12; ++later.batches) other += objective.keep_of(all, later) != kept;
  CHECK(other >= 5);
}

TEST_CASE("Beta-DPO draws pairs by the Gaussian weight of their margin") {
  // Two pairs, one kept: the first with probability w1 / (w1 + w2), margins 0 and 2 deviations from the mean.
  std::vector<Pair<double>> pairs(2, simple_pair<double>());
  pairs[1].chosen.logp += 2;
  BetaDPO::State state{.margin = {.mean = 3, .deviation = 1}, .batches = 0};
  const BetaDPO objective{.keep = 0.5f};
  int first = 0;
  for (int i = 0; i < 4000; ++i) {
    state.batches = i;
    first += objective.keep_of(std::span<const Pair<double>>(pairs), state)[0] == 0;
  }
  CHECK(first / 4000.0 == Approx(1 / (1 + std::exp(-2.0))).margin(0.02));
}

TEST_CASE("Beta-DPO has a true gradient at its beta, honest needs, and agrees in float") {
  check_coupled(BetaDPO{.batch_weight = 0, .keep = 1}, random_pairs(6, 61), {});
  check_coupled(BetaDPO{.keep = 1}, random_pairs(6, 62), {.drift_is_fixed = true});
}
