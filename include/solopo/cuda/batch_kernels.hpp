// The kernels of a batch of pairs that lies on a device: blocks of sum_lanes threads, one thread a pair.
#pragma once

#include <cstddef>

#include "solopo/backends/checked_pair.hpp"
#include "solopo/backends/pair_functor.hpp"
#include "solopo/backends/pair_sums.hpp"
#include "solopo/cuda/block_team.hpp"

namespace solopo::cuda {

// What a batch leaves on the device.
struct ReportState {
  PairSums sums;             // of the last batch
  Fault fault;               // of the batch that runs
  Fault first;               // of the first batch that had one; stays until it is cleared
  unsigned long long batch;  // that batch's number, from 0
  double mean_length[1];     // of the last batch, as float or double
};

// The sum of what each lane brings, in lane 0. Shared memory: sum_lanes of it.
template <class Block, class Sum>
SOLOPO_DEVICE const Sum& sum_of_lanes(Block& block, const Sum& own) {
  auto* const lanes = static_cast<Sum*>(block.shared());
  const auto lane = static_cast<unsigned>(block.thread());
  lanes[lane] = own;
  for (unsigned stride = sum_lanes / 2; stride > 0; stride /= 2) {
    block.sync();
    fold(lanes, lane, stride);
  }
  return lanes[0];
}

// The mean of the chosen responses' lengths, by one block.
template <class T>
struct MeanLength {
  const T* lengths;
  std::size_t pairs;
  T* mean;

  static constexpr std::size_t shared_bytes = sum_lanes * sizeof(double);
  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const auto lane = static_cast<unsigned>(block.thread());
    const double& sum = sum_of_lanes(block, lane_sum_of_lengths(lengths, pairs, lane));
    if (lane == 0) *mean = static_cast<T>(sum / static_cast<double>(pairs));
  }
};

// Loss and derivatives of each pair, a block's sums to blocks[x], the least fault to *fault.
template <class O, class T>
struct PairLosses {
  PairFunctor<O, T> functor;
  std::size_t pairs;
  PairSums* blocks;
  Fault* fault;

  static constexpr std::size_t shared_bytes = sum_lanes * sizeof(PairSums);
  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const std::size_t i =
        static_cast<std::size_t>(block.x()) * sum_lanes + static_cast<std::size_t>(block.thread());
    PairSums own{};
    if (i < pairs) {
      const CheckedSums one = checked_pair(functor, i);
      own = one.sums;
      if (one.fault != no_fault) block.atomic_min(fault, one.fault);
    }
    const PairSums& sum = sum_of_lanes(block, own);
    if (block.thread() == 0) blocks[block.x()] = sum;
  }
};

// Sums over `count` blocks, and notes a fault unless one is noted already. One block.
struct FinishReport {
  const PairSums* blocks;
  std::size_t count;
  unsigned long long batch;
  ReportState* state;

  static constexpr std::size_t shared_bytes = sum_lanes * sizeof(PairSums);
  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const auto lane = static_cast<unsigned>(block.thread());
    const PairSums& sum = sum_of_lanes(block, lane_sum(blocks, count, lane));
    if (lane != 0) return;
    state->sums = sum;
    if (state->fault != no_fault && state->first == no_fault) {
      state->first = state->fault;
      state->batch = batch;
    }
    state->fault = no_fault;
  }
};

}  // namespace solopo::cuda
