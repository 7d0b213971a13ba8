// APO-zero for records with one response, and the rule of KTO at a given reference point.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/saturating.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// A desirable response: desirable_weight (1 - sigmoid(beta (x - z))), another: undesirable_weight
// (1 - sigmoid(beta (z - x))), x its summed log-ratio, z the reference point [nats]. At z = 0 APO-zero
// unpaired, arXiv 2408.06266; KTO, arXiv 2402.01306 eq. 8, with z given. The response is `chosen`, whatever
// its label.
struct APOZeroUnpaired {
  float beta = 0.1f;
  float desirable_weight = 1.0f;
  float undesirable_weight = 1.0f;
  float reference_point = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("desirable_weight", self.desirable_weight, at_least(0.0f));
    visit("undesirable_weight", self.undesirable_weight, at_least(0.0f));
    visit("reference_point", self.reference_point, any_number);
  }

  static constexpr Needs needs = Needs::chosen | Needs::ref_chosen | Needs::label;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return at(p, T(reference_point));
  }
  // With the reference point z instead of the member.
  template <class T>
  SOLOPO_HD PairLoss<T> at(const Pair<T>& p, T z) const noexcept {
    const bool desirable = p.label > T(0);
    const T sign = desirable ? T(1) : T(-1);
    const T weight = desirable ? T(desirable_weight) : T(undesirable_weight);
    const T x = sign * (reward().value(p.chosen) - T(beta) * z);
    const links::Saturating link;
    PairLoss<T> g;
    g.loss = weight * link.value(x);
    g.chosen = weight * sign * link.slope(x) * reward().slope(p.chosen);
    return g;
  }
};

static_assert(RewardObjective<APOZeroUnpaired>);

}  // namespace solopo
