// Token-level direct preference optimisation, first form.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -ln sigmoid(beta (D - (K(rejected) - K(chosen)))), D the margin of summed log-ratios and K a response's
// sequential divergence: the sum over its tokens of KL(reference || policy). arXiv 2404.11999. K needs both
// models' distributions over the whole vocabulary at every token, so the reference runs in training.
struct TDPO1 {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio> | Needs::statistic;
  static constexpr Statistic statistic = Statistic::sequential_kl;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const T margin = T(beta) * (p.rejected.statistic - p.chosen.statistic);
    PairLoss<T> g = pairwise_loss(links::Logistic{}, reward(), p, margin);
    g.by_statistic[0] = g.chosen;  // K(chosen) stands in the margin as log pi(chosen) does, and so on
    g.by_statistic[1] = g.rejected;
    return g;
  }
};

static_assert(RewardObjective<TDPO1>);

}  // namespace solopo
