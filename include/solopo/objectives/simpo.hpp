// Simple preference optimisation: no reference model, per-token averages.
#pragma once

#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -ln sigmoid(beta (mean logp chosen - mean logp rejected) - gamma). arXiv 2405.14734, eq. 6. gamma is
// absolute: it is subtracted after beta has multiplied. Systems that ask for the ratio gamma / beta: gamma =
// beta * ratio.
struct SimPO {
  float beta = 2.0f;
  float gamma = 0.5f;
  float label_smoothing = 0.0f;

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogp>;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::SmoothedLogistic{label_smoothing}, reward(), p, T(gamma));
  }
};

static_assert(RewardObjective<SimPO>);

}  // namespace solopo
