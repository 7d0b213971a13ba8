// A preference objective that weighs a pair by how likely the policy itself would have given it.
#pragma once

#include <cmath>

#include "solopo/core/option.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/pairwise.hpp"

namespace solopo {

// w(chosen) w(rejected) base(p), w(y) = exp(mean over y's tokens of log pi(token) - log sum_v pi(v)^2): the
// likelihood of y a token, against that of what the policy samples. arXiv 2406.11827. The weights are held
// fixed: loss and derivatives are scaled by them. clamp_weight keeps each w at most 1, as the paper's code
// does; TRL does not since 0.29. An exponent ends at 30.
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

  // w(y) of one response.
  template <class T>
  SOLOPO_HD T weight(const Response<T>& y) const noexcept {
    using std::exp;
    const T exponent = (y.logp - y.statistic) / y.length, limit = clamp_weight ? T(0) : T(30);
    return exp(exponent < limit ? exponent : limit);
  }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return scaled(base(p), weight(p.chosen) * weight(p.rejected));
  }
};

static_assert(RewardObjective<WPO<>>);

}  // namespace solopo
