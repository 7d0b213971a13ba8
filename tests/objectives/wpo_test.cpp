#include "solopo/objectives/wpo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

namespace {

// WPO with the weight of another pair, so that its gradient is all of its loss's.
template <class Base>
struct FixedWeight {
  WPO<Base> wpo{};
  Pair<double> at{};
  template <class T>
  PairLoss<T> operator()(const Pair<T>& p) const {
    return scaled(wpo.base(p), T(wpo.weight(at)));
  }
};

}  // namespace

TEST_CASE("WPO weighs a pair by the likelihood of its responses against what the policy samples") {
  Pair<double> p = simple_pair<double>();  // chosen -12 of 8 tokens, rejected -20 of 10
  p.chosen.statistic = -8;
  p.rejected.statistic = -5;
  const PairLoss<double> g = WPO<>{}(p), dpo = DPO{}(p);
  const double weight = std::exp(-4.0 / 8) * std::exp(-15.0 / 10);
  CHECK(g.loss == Approx(weight * dpo.loss).epsilon(1e-14));
  CHECK(g.chosen == Approx(weight * dpo.chosen).epsilon(1e-14));
  CHECK(g.by_statistic[0] == 0);
}

TEST_CASE("A pair likelier than the policy's own samples weighs 1, or more where that is allowed") {
  Pair<double> p = simple_pair<double>();
  p.chosen.statistic = -20;
  p.rejected.statistic = -20;
  CHECK(WPO<>{}.weight(p) == 1);
  CHECK(WPO<>{.clamp_weight = false}.weight(p) == Approx(std::exp(1.0)));
  p.chosen.statistic = -1e4;
  CHECK(WPO<>{.clamp_weight = false}.weight(p) == Approx(std::exp(60.0)));
}

TEST_CASE("WPO's derivatives are those of its loss at a fixed weight, and no more") {
  const WPO<> wpo{.clamp_weight = false};
  int differ = 0;
  for (const Pair<double>& p : random_pairs(40)) {
    const FixedWeight<DPO> fixed{wpo, p};
    CHECK(same(wpo(p), fixed(p)));
    CHECK(difference_error(fixed, p) <= 1e-6);
    differ += difference_error(wpo, p) > 1e-3;
  }
  CHECK(differ > 20);
}

TEST_CASE("WPO has honest needs and agrees in float, over any base, under any prompt") {
  check_needs(WPO<>{}, WPO<>::needs);
  check_float(WPO<>{});
  check_needs(WPO<SimPO>{}, WPO<SimPO>::needs);
  check_float(WPO<SimPO>{});
  using Long = SoLoPO<WPO<>, Squared>;
  check_needs(Long{}, Long::needs);
  CHECK(has(WPO<SimPO>::needs, Needs::statistic));
  CHECK_FALSE(needs_reference(WPO<SimPO>::needs));
}
