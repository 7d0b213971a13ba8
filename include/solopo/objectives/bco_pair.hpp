// Binary classifier optimisation on a pair.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -ln sigmoid(r_w - delta) - ln sigmoid(delta - r_l), r = beta times the summed log-ratio. arXiv 2404.04656.
// delta is 0 in TRL since 0.29 and in Liger; TRL before that, ms-swift and LLaMA-Factory keep a
// running mean of the rewards there.
struct BCOPair {
  float beta = 0.1f;
  float delta = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("delta", self.delta, any_number);
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const T d = T(delta);
    const T w = reward().value(p.chosen) - d, l = reward().value(p.rejected) - d;
    const links::Logistic link;
    PairLoss<T> g;
    g.loss = link.value(w) + link.value(-l);
    g.chosen = link.slope(w) * reward().slope(p.chosen);
    g.rejected = -link.slope(-l) * reward().slope(p.rejected);
    return g;
  }
};

static_assert(RewardObjective<BCOPair>);

}  // namespace solopo
