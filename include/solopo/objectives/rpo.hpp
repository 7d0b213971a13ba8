// DPO with the likelihood of the chosen response kept in view.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// DPO's loss + nll_weight NLL(chosen). arXiv 2404.19733 (iterative reasoning preference optimisation) and
// 2405.16436.
struct RPO {
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

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio> | Needs::mean_length;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_chosen_nll(DPO{.beta = beta, .label_smoothing = label_smoothing}(p), p, T(nll_weight), nll);
  }
};

static_assert(RewardObjective<RPO>);

}  // namespace solopo
