// DPO-Positive: DPO that does not let the chosen response become less likely than under the reference.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -ln sigmoid(beta (D - lambda max(0, -x_w))), x = summed log-ratio, D = x_w - x_l. arXiv 2402.13228. At the
// kink x_w = 0 the subgradient of DPO.
struct DPOP {
  float beta = 0.3f;
  float lambda = 50.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("lambda", self.lambda, at_least(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const T w = reward().value(p.chosen);
    const bool fell = w < T(0);
    PairLoss<T> g = pairwise_loss(links::Logistic{}, reward(), p, fell ? -T(lambda) * w : T(0));
    if (fell) g.chosen *= T(1) + T(lambda);
    return g;
  }
};

static_assert(RewardObjective<DPOP>);

}  // namespace solopo
