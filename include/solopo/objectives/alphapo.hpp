// SimPO with a reward whose shape is set by one number.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/alpha_likelihood.hpp"

namespace solopo {

// -ln sigmoid(r_w - r_l - gamma), r = beta (1 - p^-a) / a, p = e^(logp / length), a = reward_alpha; SimPO at
// a = 0. arXiv 2501.03884. gamma is absolute, as in SimPO.
struct AlphaPO {
  float beta = 2.5f;
  float gamma = 0.5f;
  float reward_alpha = 0.25f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("gamma", self.gamma, at_least(0.0f));
    visit("reward_alpha", self.reward_alpha, any_number);
  }

  static constexpr Needs needs = pairwise_needs<rewards::AlphaLikelihood>;
  SOLOPO_HD constexpr rewards::AlphaLikelihood reward() const noexcept { return {beta, reward_alpha}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Logistic{}, reward(), p, T(gamma));
  }
};

static_assert(RewardObjective<AlphaPO>);

}  // namespace solopo
