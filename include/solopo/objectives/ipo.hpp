// Identity preference optimisation on per-token averages.
#pragma once

#include "solopo/links/squared.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"
#include "solopo/rewards/mean_log_ratio.hpp"

namespace solopo {

// (D - 1 / (2 beta))^2, D = mean log-ratio chosen - mean log-ratio rejected, each side divided by its own
// length. arXiv 2310.12036, eq. 17 (beta is its tau). Written on the rewards beta D, whose target is 1/2.
struct IPO {
  float beta = 0.1f;

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogRatio>;
  SOLOPO_HD constexpr rewards::MeanLogRatio reward() const noexcept { return {beta}; }
  // TRL logs beta times the summed log-ratio as rewards/*, for this loss as well.
  SOLOPO_HD constexpr rewards::LogRatio logged_reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Squared{.target = 0.5f, .width = beta}, reward(), p);
  }
};

static_assert(RewardObjective<IPO>);

}  // namespace solopo
