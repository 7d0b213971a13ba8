// Kahneman-Tversky optimisation: records with one response that is desirable or not.
#pragma once

#include <cstddef>
#include <span>

#include "solopo/core/option.hpp"
#include "solopo/objectives/apo_zero_unpaired.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// A desirable response: desirable_weight (1 - sigmoid(beta (x - z))), another: undesirable_weight
// (1 - sigmoid(beta (z - x))), x its summed log-ratio. The reference point z estimates the policy's
// divergence: max(0, mean over the batch of the log-ratio of `third`, an answer of another record), without
// gradient. arXiv 2402.01306, eq. 8 and section 4.1. A batch with given z: APOZeroUnpaired.
// Advice of the paper: desirable_weight n_desirable / (undesirable_weight n_undesirable) in [1, 4/3].
struct KTO {
  float beta = 0.1f;
  float desirable_weight = 1.0f;
  float undesirable_weight = 1.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("desirable_weight", self.desirable_weight, at_least(0.0f));
    visit("undesirable_weight", self.undesirable_weight, at_least(0.0f));
  }

  static constexpr Needs needs = needs_of_responses(Needs::chosen | Needs::third, true) | Needs::label;
  static constexpr ThirdResponse third = ThirdResponse::unmatched;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  using State = NoState;
  template <class T>
  State advanced(const State& state, std::span<const Pair<T>>) const noexcept {
    return state;
  }

  // z of a batch [nats], 0 of none.
  template <class T>
  [[nodiscard]] T reference_point(std::span<const Pair<T>> pairs) const noexcept {
    double sum = 0;
    for (const Pair<T>& p : pairs)
      sum += static_cast<double>(p.third.logp) - static_cast<double>(p.third.ref_logp);
    return sum > 0 ? static_cast<T>(sum / static_cast<double>(pairs.size())) : T(0);
  }

  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State&, std::span<PairLoss<T>> out) const noexcept {
    const APOZeroUnpaired rule{
        .beta = beta, .desirable_weight = desirable_weight, .undesirable_weight = undesirable_weight};
    const T z = reference_point(pairs);
    for (std::size_t i = 0; i < pairs.size(); ++i) out[i] = rule.at(pairs[i], z);
  }
};

static_assert(CoupledObjective<KTO> && RewardObjective<KTO>);

}  // namespace solopo
