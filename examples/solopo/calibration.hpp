// How fast this machine does a model's arithmetic, measured in a second or so on made-up numbers.
#pragma once

#include "solopo/cost/flops.hpp"
#include "solopo/model/llama_config.hpp"

namespace solopo::cli {

// Floating-point operations a second, counted as the cost model counts them.
struct Calibration {
  double linear = 0;      // one layer of this width, forward and backward, without its attention
  double attention = 0;   // attention of these heads, forward and backward
  double head = 0;        // a product with part of the head
  std::int64_t rows = 0;  // of the layer's trial

  [[nodiscard]] double seconds(const cost::Flops& flops) const noexcept {
    return flops.linear / linear + flops.attention / attention + flops.head / head;
  }
};

// Runs one layer of the configuration's sizes; needs memory for twice its weights.
[[nodiscard]] Calibration calibrate(const LlamaConfig& config);

}  // namespace solopo::cli
