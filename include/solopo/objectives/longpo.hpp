// LongPO: preference optimisation in the long context next to language modelling of it.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/pairwise.hpp"

namespace solopo {

// lm_weight NLL(sequence) + dpo_weight DPO. NLL(sequence): mean negative log-likelihood over the tokens of
// the long prompt and the chosen response, the pair's `third` response. arXiv 2502.13922; the defaults are
// those of its training. Whoever feeds DPO's pair gives logp under the long prompt and ref_logp under the
// short one: that is the short-to-long constraint. It has no reward of one response that could be aligned.
struct LongPO {
  float beta = 0.01f;
  float dpo_weight = 0.01f;
  float lm_weight = 1.0f;
  float label_smoothing = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("dpo_weight", self.dpo_weight, at_least(0.0f));
    visit("lm_weight", self.lm_weight, at_least(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
  }

  static constexpr Needs needs = DPO::needs | Needs::third;
  static constexpr ThirdResponse third = ThirdResponse::sequence;
  SOLOPO_HD constexpr rewards::LogRatio logged_reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    PairLoss<T> g = scaled(DPO{.beta = beta, .label_smoothing = label_smoothing}(p), T(dpo_weight));
    g.loss -= T(lm_weight) * (p.third.logp / p.third.length);
    g.third = -T(lm_weight) / p.third.length;
    return g;
  }
};

static_assert(PreferenceObjective<LongPO> && !RewardObjective<LongPO>);

}  // namespace solopo
