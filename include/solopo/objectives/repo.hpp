// SimPO with a hinge in place of the logistic function, and so without beta.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/hinge.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// max(0, gamma - (mean logp chosen - mean logp rejected)). arXiv 2503.07426. A pair whose margin has reached
// gamma no longer trains.
struct RePO {
  float gamma = 0.5f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("gamma", self.gamma, at_least(0.0f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogp>;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {1.0f}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Hinge{.target = gamma}, reward(), p);
  }
};

static_assert(RewardObjective<RePO>);

}  // namespace solopo
