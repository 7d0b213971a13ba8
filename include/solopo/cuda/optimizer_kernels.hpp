// Gradient norm and AdamW on a device, element by element the host's rules.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "solopo/core/bfloat16.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/kernels/adamw_rule.hpp"

namespace solopo::cuda {

// parts[block] = sum of squares of the block's share of x, in double and in an order that depends on the
// numbers of blocks and threads alone.
struct SquaredNormParts {
  const float* x;
  std::size_t size;
  double* parts;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const std::size_t stride = static_cast<std::size_t>(block.blocks()) * block.threads();
    double own = 0;
    for (std::size_t i = static_cast<std::size_t>(block.x()) * block.threads() + block.thread(); i < size;
         i += stride) {
      const double v = x[i];
      own += v * v;
    }
    const double sum =
        BlockTeam<Block>(block).template sum<double>(block.threads(), [&](int) { return own; });
    if (block.thread() == 0) parts[block.x()] = sum;
  }
};

// The weights' own float32 and, in `values` unless null, what products read.
struct AdamWStep {
  static constexpr int group = 16;  // weights that decay or not together
  AdamWRule rule;
  const float* gradients;
  const std::uint8_t* decays;  // (size / group)
  float *weights, *first, *second;
  BFloat16* values;
  std::size_t size;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const std::size_t stride = static_cast<std::size_t>(block.blocks()) * block.threads();
    for (std::size_t i = static_cast<std::size_t>(block.x()) * block.threads() + block.thread(); i < size;
         i += stride) {
      const float keep = decays[i / group] ? rule.decay : 1.0f;
      float w = weights[i], m = first[i], v = second[i];
      adamw_update(rule, keep, gradients[i], w, m, v);
      weights[i] = w;
      first[i] = m;
      second[i] = v;
      if (values) values[i] = w;
    }
  }
};

// to = from, rounded.
struct Round {
  const float* from;
  BFloat16* to;
  std::size_t size;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const std::size_t stride = static_cast<std::size_t>(block.blocks()) * block.threads();
    for (std::size_t i = static_cast<std::size_t>(block.x()) * block.threads() + block.thread(); i < size;
         i += stride)
      to[i] = from[i];
  }
};

}  // namespace solopo::cuda
