// DPO that is not rewarded for length.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/length_desensitised.hpp"

namespace solopo {

// DPO of log-probabilities whose tokens past the length of the pair's shorter response count ld_alpha in
// [0, 1] each: 1 is DPO, 0 leaves them out. arXiv 2409.06411, eq. 10; label smoothing as in DPO.
struct LDDPO {
  float beta = 0.1f;
  float ld_alpha = 0.5f;
  float label_smoothing = 0.0f;
  Desensitise desensitise = Desensitise::both;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("ld_alpha", self.ld_alpha, within(0.0f, 1.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
    visit("desensitise", self.desensitise, desensitise_names);
  }

  static constexpr Needs needs =
      pairwise_needs<rewards::LengthDesensitised> | Needs::statistic | Needs::ref_statistic;
  static constexpr Statistic statistic = Statistic::head_logp;
  SOLOPO_HD constexpr rewards::LengthDesensitised reward() const noexcept {
    return {beta, ld_alpha, desensitise};
  }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::SmoothedLogistic{label_smoothing}, reward(), p);
  }
};

static_assert(RewardObjective<LDDPO>);

}  // namespace solopo
