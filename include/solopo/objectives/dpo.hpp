// Direct preference optimisation.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -(1 - e) ln sigmoid(D) - e ln sigmoid(-D), D = beta (log-ratio chosen - log-ratio rejected). arXiv
// 2305.18290, eq. 7; label_smoothing e in [0, 0.5] (cDPO), 0 is DPO. Reads summed log-probabilities and the
// reference's.
struct DPO {
  float beta = 0.1f;
  float label_smoothing = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::SmoothedLogistic{label_smoothing}, r, p);
  }
};

static_assert(MarginObjective<DPO>);

}  // namespace solopo
