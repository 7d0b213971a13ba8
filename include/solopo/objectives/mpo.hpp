// Mixed preference optimisation: preference, quality and likelihood at once.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/objectives/bco_pair.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/objectives/sum.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// dpo_weight DPO + bco_weight BCOPair + nll_weight NLL(chosen), the same beta in both. arXiv 2411.10442; its
// weights. Any other mixture is a Sum.
struct MPO {
  float beta = 0.1f;
  float dpo_weight = 0.8f;
  float bco_weight = 0.2f;
  float nll_weight = 1.0f;
  Nll nll = Nll::per_response;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("dpo_weight", self.dpo_weight, at_least(0.0f));
    visit("bco_weight", self.bco_weight, at_least(0.0f));
    visit("nll_weight", self.nll_weight, at_least(0.0f));
    visit("nll", self.nll, nll_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio> | Needs::mean_length;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const Sum<DPO, BCOPair> sum{{.beta = beta}, dpo_weight, {{.beta = beta}, bco_weight}};
    return with_chosen_nll(sum(p), p, T(nll_weight), nll);
  }
};

static_assert(RewardObjective<MPO>);

}  // namespace solopo
