// Efficient exact optimisation for a pair of responses.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/reverse_kl.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// The reverse Kullback-Leibler divergence between sigmoid(D), D as in DPO, and the label, a share e =
// label_smoothing > 0 of which is flipped. arXiv 2402.00856 (EXO-pref with two responses).
struct EXO {
  float beta = 0.1f;
  float label_smoothing = 1e-3f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("label_smoothing", self.label_smoothing,
          Range{.least = 0.0f, .least_allowed = false, .greatest = 0.5f});
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_reward(reward(), p);
  }
  template <ImplicitReward R, class T>
  SOLOPO_HD PairLoss<T> with_reward(const R& r, const Pair<T>& p) const noexcept {
    return pairwise_loss(links::ReverseKL{label_smoothing}, r, p);
  }
};

static_assert(MarginObjective<EXO>);

}  // namespace solopo
