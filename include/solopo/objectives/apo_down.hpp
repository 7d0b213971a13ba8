// Anchored preference optimisation that lowers both responses, the rejected one more.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/mirrored.hpp"
#include "solopo/links/saturating.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// sigmoid(r_w) + 1 - sigmoid(r_w - r_l), r = beta times the summed log-ratio. arXiv 2408.06266. For a chosen
// response that is worse than what the model says.
struct APODown {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    PairLoss<T> g = pairwise_loss(links::Saturating{}, reward(), p);
    const ResponseLoss<T> anchor = response_loss(links::Mirrored<links::Saturating>{}, reward(), p.chosen);
    g.loss += anchor.loss;
    g.chosen += anchor.slope;
    return g;
  }
};

static_assert(RewardObjective<APODown>);

}  // namespace solopo
