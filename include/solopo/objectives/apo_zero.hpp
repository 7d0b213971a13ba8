// Anchored preference optimisation that raises the chosen and lowers the rejected response.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/mirrored.hpp"
#include "solopo/links/saturating.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// 1 - sigmoid(r_w) + sigmoid(r_l), r = beta times the summed log-ratio. arXiv 2408.06266. For a chosen
// response that is better than what the model says.
struct APOZero {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pointwise_loss(links::Saturating{}, links::Mirrored<links::Saturating>{}, reward(), p);
  }
};

static_assert(RewardObjective<APOZero>);

}  // namespace solopo
