// A model of a known shape with random weights, and random tokens for it: times do not depend on either.
#pragma once

#include <cstdint>
#include <vector>

#include "measure.hpp"
#include "scheme_batch.hpp"
#include "solopo/core/random.hpp"
#include "solopo/model/llama.hpp"

namespace solopo::bench {

struct RandomModel {
  LlamaWeights<float> weights;
  std::vector<float> gradients;
  RandomStream random{1, "bench"};

  explicit RandomModel(const LlamaConfig& config) : weights(config) {
    const kernels::AlignedVector<float> values = numbers(weights.data.size());
    for (const TensorSlot& slot : weights.layout.slots())
      for (std::size_t i = slot.offset; i < slot.offset + slot.size; ++i)
        weights.data[i] = slot.shape.size() == 1 ? 1.0f : values[i];
    gradients.resize(weights.layout.size());
  }
  Ids ids(long n) {
    Ids out(static_cast<std::size_t>(n));
    for (std::int32_t& t : out)
      t = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(weights.config.vocab_size)));
    return out;
  }
};

}  // namespace solopo::bench
