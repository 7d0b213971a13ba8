// Simple preference optimisation: no reference model, per-token averages.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -ln sigmoid(beta (mean logp chosen - mean logp rejected) - gamma). arXiv 2405.14734, eq. 6. gamma is
// absolute: it is subtracted after beta has multiplied.
struct SimPO {
  float beta = 2.0f;
  float gamma = 0.5f;
  float label_smoothing = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("gamma", self.gamma, at_least(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
  }

  // From the ratio gamma / beta, as the SimPO repository, open-instruct and HALOs write it.
  SOLOPO_HD static constexpr SimPO from_ratio(float beta, float ratio) noexcept {
    return {.beta = beta, .gamma = beta * ratio};
  }

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogp>;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::SmoothedLogistic{label_smoothing}, reward(), p, T(gamma));
  }
};

static_assert(RewardObjective<SimPO>);

}  // namespace solopo
