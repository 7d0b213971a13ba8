// Discovered preference optimisation.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/log_ratio_modulated.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// The log-ratio modulated loss of D, D as in DPO: logistic where the pair is wrong, exponential where it is
// right, blended by sigmoid(D / tau). arXiv 2406.08414. 0 < tau <= 1.
struct DiscoPOP {
  float beta = 0.05f;
  float tau = 0.05f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("tau", self.tau, Range{.least = 0.0f, .least_allowed = false, .greatest = 1.0f});
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::LogRatioModulated{tau}, r, p);
  }
};

static_assert(MarginObjective<DiscoPOP>);

}  // namespace solopo
