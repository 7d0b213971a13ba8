#include "solopo/objectives/mpo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/objectives/differentiated.hpp"
#include "solopo/objectives/ld_dpo.hpp"
#include "solopo/objectives/sft.hpp"
#include "solopo/objectives/tdpo1.hpp"
#include "solopo/objectives/tpo.hpp"

#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

namespace {
struct CollisionLoss {
  [[maybe_unused]] static constexpr Needs needs = Needs::chosen | Needs::statistic;
  [[maybe_unused]] static constexpr Statistic statistic = Statistic::collision_logp;
  auto operator()(auto p) const { return -(p.chosen.logp - p.chosen.statistic); }
};
}  // namespace

TEST_CASE("MPO is the weighted sum of its three parts") {
  const Pair<double> p = simple_pair<double>();
  const double expected =
      double(0.8f) * DPO{.beta = 0.5f}(p).loss + double(0.2f) * BCOPair{.beta = 0.5f}(p).loss + 1.5;
  CHECK(MPO{.beta = 0.5f}(p).loss == Approx(expected).epsilon(1e-14));
}

TEST_CASE("MPO has a true gradient, honest needs, and agrees in float") { check_objective(MPO{}); }

TEST_CASE(
    "A sum of any number of objectives adds losses, gradients and needs, and keeps the first one's reward") {
  using Three = Sum<SFT, DPO, BCOPair>;
  const Three sum{{}, 0.5f, {{.beta = 0.3f}, 2.0f, {{.beta = 0.4f}, 0.25f}}};
  CHECK(Three::needs == (SFT::needs | DPO::needs));
  CHECK(std::is_same_v<decltype(sum.reward()), rewards::MeanLogp>);
  for (const Pair<double>& p : random_pairs(10)) {
    const PairLoss<double> a = SFT{}(p), b = DPO{.beta = 0.3f}(p), c = BCOPair{.beta = 0.4f}(p), g = sum(p);
    CHECK(g.loss == Approx(0.5 * a.loss + 2 * b.loss + 0.25 * c.loss).epsilon(1e-14));
    CHECK(g.chosen == Approx(0.5 * a.chosen + 2 * b.chosen + 0.25 * c.chosen).epsilon(1e-14));
    CHECK(g.rejected == Approx(2 * b.rejected + 0.25 * c.rejected).epsilon(1e-14));
  }
  check_objective(sum);
  check_gradient(SoLoPO<Three>{.base = sum, .alpha = 2.0f});
}

TEST_CASE(
    "A sum and a differentiated loss say what their statistic and third response are, as their parts do") {
  using Compared = Sum<SFT, TDPO1>;
  CHECK(statistic_of<Compared> == Statistic::sequential_kl);
  CHECK(is_semi_gradient<Sum<TDPO1, SFT>> == is_semi_gradient<TDPO1>);
  CHECK(AnyObjective("sum", Compared{}).statistic() == Statistic::sequential_kl);
  CHECK(AnyObjective("sum", Sum<LDDPO, TPO>{}).third() == ThirdResponse::reference);
  CHECK(AnyObjective("sum", Sum<LDDPO, TPO>{}).statistic() == Statistic::head_logp);
  CHECK(statistic_of<Sum<SFT, DPO>> == Statistic::none);
  CHECK(AnyObjective("differentiated", Differentiated<CollisionLoss>{}).statistic() ==
        Statistic::collision_logp);
  check_objective(Sum<LDDPO, TPO>{{}, 0.5f, {{}, 2.0f}});
}

TEST_CASE("The reward of a float response reads its statistics") {
  const Response<float> y{.logp = -30, .ref_logp = -32, .length = 9, .statistic = -20, .ref_statistic = -21};
  const AnyObjective objective("ld-dpo", LDDPO{.beta = 0.1f, .ld_alpha = 0.5f});
  CHECK(objective.reward(y) == Approx(0.1 * (0.5 * 2 + 0.5 * 1)).epsilon(1e-6));
}
