// DPO whose beta follows the batch, and which leaves out pairs that look like outliers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/option.hpp"
#include "solopo/core/random.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/moving_moments.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// The mean of -ln sigmoid(b D) over the kept pairs, D the difference of log-ratios, arXiv 2407.08639:
// floor(keep B) pairs, at least one, are drawn without replacement with weights e^(-((D - M) / S)^2 / 2);
// b = max(1e-3, beta (1 + batch_weight (mean D of the kept - M))), without gradient. M and S are moving
// averages of the batches' mean and deviation of D, this batch included. The draw of a batch follows from
// `seed` and the number of batches before it. Pairs left out have loss and derivatives 0.
struct BetaDPO {
  float beta = 0.1f;
  float batch_weight = 0.6f;
  float keep = 0.8f;
  std::uint32_t seed = 0;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("batch_weight", self.batch_weight, at_least(0.0f));
    visit("keep", self.keep, Range{.least = 0.0f, .least_allowed = false, .greatest = 1.0f});
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  struct State {
    MovingMoments margin{};
    double batches = 0;

    template <class Self, class Visit>
    static constexpr void each_field(Self& self, Visit&& visit) {
      MovingMoments::each_field(self.margin, visit);
      visit("batches", self.batches);
    }
  };

  template <class T>
  State advanced(const State& state, std::span<const Pair<T>> pairs) const {
    return {state.margin.after(pairs, &BetaDPO::margin<T>), state.batches + 1};
  }

  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State& state, std::span<PairLoss<T>> out) const {
    const std::vector<std::size_t> kept = keep_of(pairs, state);
    double mean = 0;
    for (const std::size_t i : kept)
      mean += static_cast<double>(margin(pairs[i])) / static_cast<double>(kept.size());
    const auto b =
        static_cast<T>(std::max(1e-3, static_cast<double>(beta) * (1 + static_cast<double>(batch_weight) *
                                                                           (mean - state.margin.mean))));
    // The caller averages over all pairs of the batch; the loss is the mean over the kept.
    const T share = static_cast<T>(pairs.size()) / static_cast<T>(kept.size());
    const links::Logistic link;
    std::fill(out.begin(), out.end(), PairLoss<T>{});
    for (const std::size_t i : kept) {
      const T z = b * margin(pairs[i]);
      out[i].loss = share * link.value(z);
      out[i].chosen = share * b * link.slope(z);
      out[i].rejected = -out[i].chosen;
    }
  }

  // The pairs of a batch that count, in rising order.
  template <class T>
  [[nodiscard]] std::vector<std::size_t> keep_of(std::span<const Pair<T>> pairs, const State& state) const {
    struct Key {
      double value;
      std::size_t index;
    };
    // The n largest of ln(weight) + Gumbel noise are a draw of n without replacement.
    RandomStream draw(seed, "beta-dpo", static_cast<std::uint64_t>(state.batches));
    std::vector<Key> keys;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const double far = state.margin.normalised(static_cast<double>(margin(pairs[i])));
      keys.push_back({-0.5 * far * far - std::log(-std::log1p(-draw.uniform())), i});
    }
    std::stable_sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) { return a.value > b.value; });
    const double share = static_cast<double>(keep) * static_cast<double>(pairs.size());
    keys.resize(std::min(pairs.size(), std::max<std::size_t>(1, static_cast<std::size_t>(share + 1e-4))));
    std::vector<std::size_t> out;
    out.reserve(keys.size());
    for (const Key& k : keys) out.push_back(k.index);
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  template <class T>
  static T margin(const Pair<T>& p) noexcept {
    return (p.chosen.logp - p.chosen.ref_logp) - (p.rejected.logp - p.rejected.ref_logp);
  }
};

static_assert(CoupledObjective<BetaDPO> && RewardObjective<BetaDPO>);

}  // namespace solopo
