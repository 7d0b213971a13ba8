// SimPO with a margin of its own for each pair, from how far the policy has moved from its reference.
#pragma once

#include <cstddef>
#include <span>

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/moving_moments.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/mean_log_ratio.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -ln sigmoid(beta (G - margin_alpha (D - M) / S) - gamma): G the difference of the mean log-probabilities a
// token, D that of the mean log-ratios, M and S moving averages of the batches' mean and deviation of D, this
// batch included; the term in D has no gradient. arXiv 2410.10148, eq. 9; with label smoothing as in DPO.
// gamma is absolute. Where S is 0 the term is 0.
struct AlphaDPO {
  float beta = 2.5f;
  float gamma = 0.5f;
  float margin_alpha = 0.1f;
  float label_smoothing = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("gamma", self.gamma, at_least(0.0f));
    visit("margin_alpha", self.margin_alpha, at_least(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
  }

  // From the ratio gamma / beta, as its authors' program writes it.
  SOLOPO_HD static constexpr AlphaDPO from_ratio(float beta, float ratio, float margin_alpha) noexcept {
    return {.beta = beta, .gamma = beta * ratio, .margin_alpha = margin_alpha};
  }

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogRatio>;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {beta}; }

  using State = MovingMoments;
  template <class T>
  State advanced(const State& state, std::span<const Pair<T>> pairs) const {
    return state.after(pairs, &AlphaDPO::drift<T>);
  }

  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State& state, std::span<PairLoss<T>> out) const noexcept {
    const links::SmoothedLogistic link{label_smoothing};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const T moved = static_cast<T>(state.normalised(static_cast<double>(drift(pairs[i]))));
      out[i] = pairwise_loss(link, reward(), pairs[i], T(gamma) + T(beta) * T(margin_alpha) * moved);
    }
  }

 private:
  template <class T>
  static T drift(const Pair<T>& p) noexcept {
    constexpr rewards::MeanLogRatio mean{1.0f};
    return mean.value(p.chosen) - mean.value(p.rejected);
  }
};

static_assert(CoupledObjective<AlphaDPO> && RewardObjective<AlphaDPO>);

}  // namespace solopo
