// Contrastive preference optimisation: no reference model.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/logp.hpp"

namespace solopo {

// -(1 - e) ln sigmoid(G) - e ln sigmoid(-G) + nll_weight NLL(chosen), G = beta (logp chosen - logp rejected),
// e = label_smoothing. arXiv 2401.08417.
struct CPO {
  float beta = 0.1f;
  float nll_weight = 1.0f;
  float label_smoothing = 0.0f;
  Nll nll = Nll::per_response;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("nll_weight", self.nll_weight, at_least(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
    visit("nll", self.nll, nll_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::Logp> | Needs::mean_length;
  SOLOPO_HD constexpr rewards::Logp reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_chosen_nll(pairwise_loss(links::SmoothedLogistic{label_smoothing}, reward(), p), p,
                           T(nll_weight), nll);
  }
};

static_assert(RewardObjective<CPO>);

}  // namespace solopo
