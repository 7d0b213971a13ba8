// A preference objective that weighs a pair by how likely the policy itself would have given it.
#pragma once

#include <cmath>

#include "solopo/core/option.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/pairwise.hpp"

namespace solopo {

// w base(p), w = exp(v(chosen) + v(rejected)), v(y) the mean over y's tokens of log pi(token) - log sum_v
// pi(v)^2: how likely y is a token, against what the policy samples. arXiv 2406.11827. The weight is held
// fixed: loss and derivatives are scaled by it. clamp_weight keeps it at most 1, as the paper's code does;
// TRL does not since 0.29. An exponent ends at 60.
template <PreferenceObjective Base = DPO>
requires(statistic_of<Base> == Statistic::none) struct WPO {
  Base base{};
  bool clamp_weight = true;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit_options(self.base, visit);
    visit("clamp_weight", self.clamp_weight);
  }

  static constexpr Needs needs = Base::needs | Needs::chosen | Needs::rejected | Needs::statistic;
  static constexpr Statistic statistic = Statistic::collision_logp;
  static constexpr ThirdResponse third = third_of<Base>;
  static constexpr bool is_semi_gradient = true;
  SOLOPO_HD constexpr auto reward() const noexcept requires RewardObjective<Base> { return base.reward(); }

  // The weight w of a pair.
  template <class T>
  SOLOPO_HD T weight(const Pair<T>& p) const noexcept {
    using std::exp;
    const T exponent = (p.chosen.logp - p.chosen.statistic) / p.chosen.length +
                       (p.rejected.logp - p.rejected.statistic) / p.rejected.length;
    const T limit = clamp_weight ? T(0) : T(60);
    return exp(exponent < limit ? exponent : limit);
  }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return scaled(base(p), weight(p));
  }
};

static_assert(RewardObjective<WPO<>>);

}  // namespace solopo
