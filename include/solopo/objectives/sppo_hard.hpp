// Self-play preference optimisation with hard labels.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/squared.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// (x_w - 1 / (2 beta))^2 + (x_l + 1 / (2 beta))^2, x = summed log-ratio. arXiv 2405.00675 with a
// preference of 1 and 0 (beta is 1 / eta). Written on the rewards beta x, whose targets are 1/2 and -1/2.
struct SPPO {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pointwise_loss(links::Squared{.target = 0.5f, .width = beta},
                          links::Squared{.target = -0.5f, .width = beta}, reward(), p);
  }
};

static_assert(RewardObjective<SPPO>);

}  // namespace solopo
