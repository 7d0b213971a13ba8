// Noise contrastive alignment for a pair of responses.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/links/mirrored.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -ln sigmoid(r_w) - 1/2 ln sigmoid(-r_w) - 1/2 ln sigmoid(-r_l), r = beta times the summed log-ratio. arXiv
// 2402.05369 with two responses. Each reward is judged by itself: the chosen response's likelihood is kept
// from falling.
struct NCA {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const links::Mirrored<links::Logistic> down;
    PairLoss<T> g = scaled(pointwise_loss(down, down, reward(), p), T(0.5f));
    const ResponseLoss<T> up = response_loss(links::Logistic{}, reward(), p.chosen);
    g.loss += up.loss;
    g.chosen += up.slope;
    return g;
  }
};

static_assert(RewardObjective<NCA>);

}  // namespace solopo
