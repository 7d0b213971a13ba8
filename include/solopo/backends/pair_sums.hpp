// What a batch's metrics are means of, summed over pairs in an order that does not depend on who sums: pairs
// are dealt to lanes, lanes are folded in halves. The same steps run in a kernel and in a loop on the host.
#pragma once

#include <cstddef>

#include "solopo/core/config.hpp"
#include "solopo/objectives/pair_metrics.hpp"

namespace solopo {

// The lanes of a block; a power of two.
inline constexpr unsigned sum_lanes = 128;

// Sums in double, each a number of pairs or of their values; see BatchMetrics for what they mean. Not
// initialised, so that it can lie in a kernel's shared memory.
struct PairSums {
  double pairs, loss;
  double rewarded_chosen, rewards_chosen, rewarded_rejected, rewards_rejected, compared, accurate;
  double scored_chosen, logps_chosen, scored_rejected, logps_rejected;
  double aligned, gap, alignment_loss, reward_short, reward_long;
  double clamped;

  SOLOPO_HD void add(const PairSums& o) noexcept {
    pairs += o.pairs;
    loss += o.loss;
    rewarded_chosen += o.rewarded_chosen;
    rewards_chosen += o.rewards_chosen;
    rewarded_rejected += o.rewarded_rejected;
    rewards_rejected += o.rewards_rejected;
    compared += o.compared;
    accurate += o.accurate;
    scored_chosen += o.scored_chosen;
    logps_chosen += o.logps_chosen;
    scored_rejected += o.scored_rejected;
    logps_rejected += o.logps_rejected;
    aligned += o.aligned;
    gap += o.gap;
    alignment_loss += o.alignment_loss;
    reward_short += o.reward_short;
    reward_long += o.reward_long;
    clamped += o.clamped;
  }
};

// Of one pair. What is not defined counts 0.
SOLOPO_HD inline PairSums sums_of(double loss, const PairMetrics& m) noexcept {
  const bool compared = m.has_chosen_reward && m.has_rejected_reward;
  const auto counted = [](bool has, double value) { return has ? value : 0.0; };
  return {1.0,
          loss,
          counted(m.has_chosen_reward, 1.0),
          counted(m.has_chosen_reward, m.reward_chosen),
          counted(m.has_rejected_reward, 1.0),
          counted(m.has_rejected_reward, m.reward_rejected),
          counted(compared, 1.0),
          counted(compared && m.reward_chosen > m.reward_rejected, 1.0),
          counted(m.has_chosen, 1.0),
          counted(m.has_chosen, m.logp_chosen),
          counted(m.has_rejected, 1.0),
          counted(m.has_rejected, m.logp_rejected),
          counted(m.has_alignment, 1.0),
          counted(m.has_alignment, m.gap),
          counted(m.has_alignment, m.alignment_loss),
          counted(m.has_alignment, m.reward_short),
          counted(m.has_alignment, m.reward_long),
          static_cast<double>(m.clamped)};
}

// Adds the upper half of 2 `stride` lanes to the lower. Every lane calls it, with stride sum_lanes / 2 and
// then ever half of it to 1; between two calls all lanes meet. The sum is then in lane 0.
SOLOPO_HD inline void fold(PairSums* lanes, unsigned lane, unsigned stride) noexcept {
  if (lane < stride) lanes[lane].add(lanes[lane + stride]);
}
SOLOPO_HD inline void fold(double* lanes, unsigned lane, unsigned stride) noexcept {
  if (lane < stride) lanes[lane] += lanes[lane + stride];
}

// What a lane sums of `count` blocks' sums, and of `count` lengths: every sum_lanes-th, beginning with its
// own.
SOLOPO_HD inline PairSums lane_sum(const PairSums* sums, std::size_t count, unsigned lane) noexcept {
  PairSums out{};
  for (std::size_t i = lane; i < count; i += sum_lanes) out.add(sums[i]);
  return out;
}
template <class T>
SOLOPO_HD inline double lane_sum_of_lengths(const T* lengths, std::size_t count, unsigned lane) noexcept {
  double out = 0;
  for (std::size_t i = lane; i < count; i += sum_lanes) out += static_cast<double>(lengths[i]);
  return out;
}

}  // namespace solopo
