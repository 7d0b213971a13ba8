// Triple preference optimisation: a preference between two answers and the likelihood of a third.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/normalised_logp.hpp"

namespace solopo {

// -ln sigmoid(beta (logp chosen - logp rejected) - gamma) + nll_weight NLL(third), third being the best
// answer there is. arXiv 2405.16681. With `normalise` = sum and gamma = 0 TPO, with mean and a gamma TPO-L.
// Label smoothing as in DPO.
struct TPO {
  float beta = 0.01f;
  float gamma = 0.0f;
  float nll_weight = 1.0f;
  float label_smoothing = 0.0f;
  Normalise normalise = Normalise::sum;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("gamma", self.gamma, at_least(0.0f));
    visit("nll_weight", self.nll_weight, at_least(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
    visit("normalise", self.normalise, normalise_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::NormalisedLogp> | Needs::third;
  static constexpr ThirdResponse third = ThirdResponse::reference;
  SOLOPO_HD constexpr rewards::NormalisedLogp reward() const noexcept { return {beta, normalise}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    PairLoss<T> g = pairwise_loss(links::SmoothedLogistic{label_smoothing}, reward(), p, T(gamma));
    g.loss -= T(nll_weight) * (p.third.logp / p.third.length);
    g.third = -T(nll_weight) / p.third.length;
    return g;
  }
};

static_assert(RewardObjective<TPO>);

}  // namespace solopo
