// Identity preference optimisation.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/squared.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"
#include "solopo/rewards/normalised_log_ratio.hpp"

namespace solopo {

// (D - 1 / (2 beta))^2, D = log-ratio chosen - log-ratio rejected, each divided by its own length (`mean`, as
// TRL does) or not (`sum`, as OpenRLHF does). arXiv 2310.12036, eq. 17 (beta is its tau). Written on the
// rewards beta D, whose target is 1/2.
struct IPO {
  float beta = 0.1f;
  Normalise normalise = Normalise::mean;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("normalise", self.normalise, normalise_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::NormalisedLogRatio>;
  SOLOPO_HD constexpr rewards::NormalisedLogRatio reward() const noexcept { return {beta, normalise}; }
  // TRL logs beta times the summed log-ratio as rewards/*, for this loss as well.
  SOLOPO_HD constexpr rewards::LogRatio logged_reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Squared{.target = 0.5f, .width = beta}, r, p);
  }
};

static_assert(MarginObjective<IPO>);

}  // namespace solopo
