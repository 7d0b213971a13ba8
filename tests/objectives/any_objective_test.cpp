#include "solopo/objectives/any_objective.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

namespace {
struct NoReward {
  static constexpr Needs needs = Needs::chosen;
  template <class T>
  PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return {p.chosen.logp, T(1), T(0), T(0), T(0)};
  }
};
}  // namespace

TEST_CASE("An erased objective gives the losses, needs and metrics of the one it holds") {
  const SoLoPO<DPO> held{.base = {.beta = 0.3f}, .alpha = 3.f};
  const AnyObjective any("mine", held);
  CHECK(any.name() == "mine");
  CHECK(any.needs() == held.needs);
  CHECK(any.has_reward());
  CHECK(any.reward_reads_reference());
  CHECK(any.has_alignment());
  for (const Pair<double>& p : random_pairs(10)) {
    CHECK(same(any(p), held(p)));
    CHECK(any(converted<float>(p)).loss == held(converted<float>(p)).loss);
    CHECK(any.reward(p.chosen) == held.reward().value(p.chosen));
    CHECK(any.metrics(p).gap == held.alignment(p).gap);
  }
}

TEST_CASE("Copies of an erased objective hold the same objective") {
  const AnyObjective a("orpo", ORPO{.lambda = 0.2f});
  const AnyObjective b = a;
  const Pair<double> p = simple_pair<double>();
  CHECK(same(a(p), b(p)));
  CHECK_FALSE(b.has_alignment());
  CHECK_FALSE(b.reward_reads_reference());
}

TEST_CASE("Asking an objective without a reward for it is an error by name") {
  const AnyObjective any("flat", NoReward{});
  CHECK_FALSE(any.has_reward());
  CHECK_THROWS_WITH(any.reward(Response<double>{-1, 0, 1}), "objective: flat has no implicit reward");
  CHECK_FALSE(any.metrics(simple_pair<double>()).has_chosen_reward);
  CHECK(any.metrics(simple_pair<double>()).logp_chosen == -12);
}
