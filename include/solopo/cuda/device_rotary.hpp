// The tables of kernels/rotary.hpp on a device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "solopo/cuda/growing_array.hpp"
#include "solopo/kernels/rotary.hpp"
#include "solopo/model/llama_config.hpp"

namespace solopo::cuda {

template <class Queue>
class DeviceRotary {
 public:
  // Room for positions [0, longest).
  void reserve(Queue& queue, const LlamaConfig& config, std::int32_t longest) {
    if (positions_ >= longest) return;
    positions_ = std::max(longest, 512);
    const kernels::RotaryTable<float> table(positions_, config.head_dim, config.rope_theta);
    const std::size_t size =
        static_cast<std::size_t>(positions_) * static_cast<std::size_t>(config.head_dim / 2);
    cos_.upload(queue, std::vector<float>(table.cos(0), table.cos(0) + size));
    sin_.upload(queue, std::vector<float>(table.sin(0), table.sin(0) + size));
  }

  [[nodiscard]] const float* cos() const noexcept { return cos_.data(); }  // (positions, head_dim / 2)
  [[nodiscard]] const float* sin() const noexcept { return sin_.data(); }

 private:
  GrowingArray<float, Queue> cos_, sin_;
  std::int32_t positions_ = 0;
};

}  // namespace solopo::cuda
