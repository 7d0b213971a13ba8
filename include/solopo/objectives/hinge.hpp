// The hinge loss of SLiC and RSO on DPO's margin.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/hinge.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// max(0, 1 - beta D), D = log-ratio chosen - log-ratio rejected, summed. arXiv 2305.10425 and 2309.06657. No
// gradient once the margin reaches 1, the kink included.
struct Hinge {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Hinge{}, r, p);
  }
};

static_assert(MarginObjective<Hinge>);

}  // namespace solopo
