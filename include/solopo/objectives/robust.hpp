// DPO made unbiased under a known rate of flipped labels.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/unbiased_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// [-(1 - e) ln sigmoid(D) + e ln sigmoid(-D)] / (1 - 2 e), D as in DPO, e = label_smoothing in [0, 0.5).
// arXiv 2403.00409. The flipped term is subtracted: the loss can be negative.
struct RobustDPO {
  float beta = 0.1f;
  float label_smoothing = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("label_smoothing", self.label_smoothing,
          Range{.least = 0.0f, .greatest = 0.5f, .greatest_allowed = false});
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::UnbiasedLogistic{label_smoothing}, r, p);
  }
};

static_assert(MarginObjective<RobustDPO>);

}  // namespace solopo
