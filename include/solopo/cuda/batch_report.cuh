// What batches leave on the device for the host to ask for: loss, metrics, and the first bad input.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "solopo/backends/batch_metrics.hpp"
#include "solopo/cuda/batch_kernels.hpp"
#include "solopo/cuda/block.cuh"
#include "solopo/cuda/device_array.cuh"

namespace solopo::cuda {

// Runs a kernel of batch_kernels.hpp.
template <class Kernel>
void launch_lanes(unsigned blocks, const Kernel& kernel, cudaStream_t stream) {
  run_kernel<<<blocks, sum_lanes, Kernel::shared_bytes, stream>>>(kernel);
  check(cudaGetLastError(), "kernel launch");
}

// Mean loss over the optimiser batch, and the metrics of the last batch.
struct BatchResult {
  double loss = 0;
  BatchMetrics metrics{};
};

// Serves batches of up to `most_pairs` pairs that follow each other on one stream.
class BatchReport {
 public:
  explicit BatchReport(std::size_t most_pairs)
      : blocks_(blocks_of(most_pairs)), state_(std::vector<ReportState>(1, fresh())) {}

  // Waits for the stream. Throws ArgumentError naming argument and pair, as solopo::batch_loss() does, when
  // any batch since the last clear() had a bad input, and CudaError when the device failed.
  [[nodiscard]] BatchResult read(cudaStream_t stream = nullptr) const {
    ReportState state;
    check(cudaMemcpyAsync(&state, state_.data(), sizeof state, cudaMemcpyDeviceToHost, stream),
          "cudaMemcpyAsync");
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    if (state.first != no_fault)
      throw error_of(state.first, " (batch " + std::to_string(state.batch) + " of this report)");
    return {state.sums.loss / static_cast<double>(count_), BatchMetrics::of(state.sums)};
  }

  // Forgets what was noted. Waits for the device.
  void clear() { state_ = DeviceArray<ReportState>(std::vector<ReportState>(1, fresh())); }

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
    launch_lanes(1, FinishReport{blocks_.data(), blocks, batches_++, state_.data()}, stream);
  }

 private:
  static std::size_t blocks_of(std::size_t pairs) noexcept { return (pairs + sum_lanes - 1) / sum_lanes; }
  static ReportState fresh() noexcept { return {PairSums{}, no_fault, no_fault, 0, {0}}; }

  DeviceArray<PairSums> blocks_;
  DeviceArray<ReportState> state_;
  std::size_t count_ = 1;
  unsigned long long batches_ = 0;
};

}  // namespace solopo::cuda
