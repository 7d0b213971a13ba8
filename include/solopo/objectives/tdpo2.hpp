// Token-level direct preference optimisation, second form.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -ln sigmoid(beta (D - kl_weight (K(rejected) - K(chosen)))), D and K as in TDPO1, K(chosen) held fixed:
// the divergence is kept small where the answer is bad. arXiv 2404.11999, where kl_weight is called alpha.
struct TDPO2 {
  float beta = 0.1f;
  float kl_weight = 0.5f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("kl_weight", self.kl_weight, at_least(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio> | Needs::statistic;
  static constexpr Statistic statistic = Statistic::sequential_kl;
  static constexpr bool is_semi_gradient = true;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const T margin = T(beta) * T(kl_weight) * (p.rejected.statistic - p.chosen.statistic);
    PairLoss<T> g = pairwise_loss(links::Logistic{}, reward(), p, margin);
    g.by_statistic[1] = T(kl_weight) * g.rejected;
    return g;
  }
};

static_assert(RewardObjective<TDPO2>);

}  // namespace solopo
