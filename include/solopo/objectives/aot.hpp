// Alignment via optimal transport: the batch's rewards are compared in sorted order, not pair by pair.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include "solopo/core/option.hpp"
#include "solopo/links/smoothed_logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

namespace aot_detail {

// The indices of the pairs by rising key, equal keys in the batch's order.
template <class T, class Key>
std::vector<std::size_t> ascending(std::span<const Pair<T>> pairs, Key key) {
  std::vector<std::size_t> order(pairs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return key(pairs[a]) < key(pairs[b]); });
  return order;
}

}  // namespace aot_detail

// What both forms share. d_i of rank i: the mean of f(beta d_i) is the loss, f the logistic link with
// label_smoothing e in [0, 0.5].
struct AOTOptions {
  float beta = 0.1f;
  float label_smoothing = 0.0f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("label_smoothing", self.label_smoothing, within(0.0f, 0.5f));
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  using State = NoState;
  template <class T>
  State advanced(const State& state, std::span<const Pair<T>>) const noexcept {
    return state;
  }
};

// d_i = the i-th smallest logp chosen - logp rejected minus the i-th smallest of the same difference under
// the reference. arXiv 2406.05882, the paired form (TRL: `aot`, before 0.20 `aot_pair` was the other). A
// loss belongs to the pair whose policy has that rank. A batch of one pair is DPO.
struct AOT : AOTOptions {
  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State&, std::span<PairLoss<T>> out) const {
    const auto policy = [](const Pair<T>& p) { return p.chosen.logp - p.rejected.logp; };
    const auto reference = [](const Pair<T>& p) { return p.chosen.ref_logp - p.rejected.ref_logp; };
    const std::vector<std::size_t> by_policy = aot_detail::ascending(pairs, policy);
    const std::vector<std::size_t> by_reference = aot_detail::ascending(pairs, reference);
    const links::SmoothedLogistic link{label_smoothing};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const std::size_t owner = by_policy[i];
      const T z = T(beta) * (policy(pairs[owner]) - reference(pairs[by_reference[i]]));
      out[owner] = {};
      out[owner].loss = link.value(z);
      out[owner].chosen = T(beta) * link.slope(z);
      out[owner].rejected = -out[owner].chosen;
    }
  }
};

// d_i = the i-th smallest log-ratio of the chosen responses minus the i-th smallest of the rejected ones.
// arXiv 2406.05882, the unpaired form (TRL: `aot_unpaired`). A loss belongs to the pair whose chosen response
// has that rank. A batch of one pair is DPO.
struct AOTUnpaired : AOTOptions {
  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State&, std::span<PairLoss<T>> out) const {
    const auto chosen = [](const Pair<T>& p) { return p.chosen.logp - p.chosen.ref_logp; };
    const auto rejected = [](const Pair<T>& p) { return p.rejected.logp - p.rejected.ref_logp; };
    const std::vector<std::size_t> by_chosen = aot_detail::ascending(pairs, chosen);
    const std::vector<std::size_t> by_rejected = aot_detail::ascending(pairs, rejected);
    const links::SmoothedLogistic link{label_smoothing};
    std::fill(out.begin(), out.end(), PairLoss<T>{});
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const T z = T(beta) * (chosen(pairs[by_chosen[i]]) - rejected(pairs[by_rejected[i]]));
      const T slope = T(beta) * link.slope(z);
      out[by_chosen[i]].loss = link.value(z);
      out[by_chosen[i]].chosen = slope;
      out[by_rejected[i]].rejected = -slope;
    }
  }
};

static_assert(CoupledObjective<AOT> && RewardObjective<AOT> && CoupledObjective<AOTUnpaired>);

}  // namespace solopo
