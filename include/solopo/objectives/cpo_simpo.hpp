// SimPO with the likelihood of the chosen response kept in view.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -ln sigmoid(beta (mean logp chosen - mean logp rejected) - gamma) + nll_weight NLL(chosen), with label
// smoothing as in SimPO. Of the CPO and SimPO authors' repositories; what TRL's CPO trainer computes for
// `simpo` unless `cpo_alpha` is 0.
struct CPOSimPO {
  float beta = 2.0f;
  float gamma = 0.5f;
  float nll_weight = 1.0f;
  float label_smoothing = 0.0f;
  Nll nll = Nll::per_response;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("gamma", self.gamma, at_least(0.0f));
    visit("nll_weight", self.nll_weight, at_least(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
    visit("nll", self.nll, nll_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogp> | Needs::mean_length;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_chosen_nll(SimPO{.beta = beta, .gamma = gamma, .label_smoothing = label_smoothing}(p), p,
                           T(nll_weight), nll);
  }
};

static_assert(RewardObjective<CPOSimPO>);

}  // namespace solopo
