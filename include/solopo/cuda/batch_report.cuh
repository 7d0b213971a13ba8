// What batches leave on the device for the host to ask for: loss, metrics, and the first bad input.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "solopo/backends/batch_metrics.hpp"
#include "solopo/backends/checked_pair.hpp"
#include "solopo/cuda/device_array.cuh"

namespace solopo::cuda {

namespace batch_detail {

struct ReportState {
  PairSums sums;             // of the last batch
  Fault fault;               // of the batch that runs
  Fault first;               // of the first batch that had one; stays until it is cleared
  unsigned long long batch;  // that batch's number, from 0
  double mean_length[1];     // of the last batch, as float or double
};

// Sums over blocks, and notes a fault unless one is noted already. One block. (A template, since a kernel
// cannot be inline.)
template <class State>
__global__ void finish(const PairSums* blocks, std::size_t count, unsigned long long batch, State* state) {
  __shared__ PairSums lanes[sum_lanes];
  const unsigned lane = threadIdx.x;
  lanes[lane] = lane_sum(blocks, count, lane);
  for (unsigned stride = sum_lanes / 2; stride > 0; stride /= 2) {
    __syncthreads();
    fold(lanes, lane, stride);
  }
  if (lane != 0) return;
  state->sums = lanes[0];
  if (state->fault != no_fault && state->first == no_fault) {
    state->first = state->fault;
    state->batch = batch;
  }
  state->fault = no_fault;
}

}  // namespace batch_detail

// Mean loss over the optimiser batch, and the metrics of the last batch.
struct BatchResult {
  double loss = 0;
  BatchMetrics metrics{};
};

// Serves batches of up to `most_pairs` pairs that follow each other on one stream.
class BatchReport {
 public:
  explicit BatchReport(std::size_t most_pairs)
      : blocks_(blocks_of(most_pairs)), state_(std::vector<batch_detail::ReportState>(1, fresh())) {}

  // Waits for the stream. Throws ArgumentError naming argument and pair, as solopo::batch_loss() does, when
  // any batch since the last clear() had a bad input, and CudaError when the device failed.
  [[nodiscard]] BatchResult read(cudaStream_t stream = nullptr) const {
    batch_detail::ReportState state;
    check(cudaMemcpyAsync(&state, state_.data(), sizeof state, cudaMemcpyDeviceToHost, stream),
          "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    if (state.first != no_fault)
      throw error_of(state.first, " (batch " + std::to_string(state.batch) + " of this report)");
    return {state.sums.loss / static_cast<double>(count_), BatchMetrics::of(state.sums)};
  }

  // Forgets what was noted. Waits for the device.
  void clear() {
    state_ = DeviceArray<batch_detail::ReportState>(std::vector<batch_detail::ReportState>(1, fresh()));
  }

  // For batch_loss(). begin() gives the number of blocks.
  unsigned begin(std::size_t pairs, std::size_t count) {
    const std::size_t blocks = blocks_of(pairs);
    if (blocks > blocks_.size()) {
      throw ArgumentError("pairs", std::to_string(pairs) + " are more than the report has room for, " +
                                       std::to_string(blocks_.size() * sum_lanes));
    }
    count_ = count;
    return static_cast<unsigned>(blocks);
  }
  [[nodiscard]] PairSums* blocks() const noexcept { return blocks_.data(); }
  [[nodiscard]] Fault* fault() const noexcept { return &state_.data()->fault; }
  template <class T>
  [[nodiscard]] T* mean_length() const noexcept {
    return reinterpret_cast<T*>(state_.data()->mean_length);
  }
  void end(unsigned blocks, cudaStream_t stream) {
    batch_detail::finish<<<1, sum_lanes, 0, stream>>>(blocks_.data(), blocks, batches_++, state_.data());
    check(cudaGetLastError(), "launch of finish");
  }

 private:
  static std::size_t blocks_of(std::size_t pairs) noexcept { return (pairs + sum_lanes - 1) / sum_lanes; }
  static batch_detail::ReportState fresh() noexcept { return {PairSums{}, no_fault, no_fault, 0, {0}}; }

  DeviceArray<PairSums> blocks_;
  DeviceArray<batch_detail::ReportState> state_;
  std::size_t count_ = 1;
  unsigned long long batches_ = 0;
};

}  // namespace solopo::cuda
