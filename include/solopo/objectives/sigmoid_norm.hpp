// DPO on per-token averages.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"
#include "solopo/rewards/mean_log_ratio.hpp"

namespace solopo {

// -ln sigmoid(beta (mean log-ratio chosen - mean log-ratio rejected)), with label smoothing as in DPO. The
// `dpo_norm` of Tulu 3 (arXiv 2411.15124) and `sigmoid_norm` of TRL.
struct SigmoidNorm {
  float beta = 0.1f;
  float label_smoothing = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogRatio>;
  SOLOPO_HD constexpr rewards::MeanLogRatio reward() const noexcept { return {beta}; }
  // TRL logs beta times the summed log-ratio as rewards/*, for this loss as well.
  SOLOPO_HD constexpr rewards::LogRatio logged_reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::SmoothedLogistic{label_smoothing}, r, p);
  }
};

static_assert(MarginObjective<SigmoidNorm>);

}  // namespace solopo
