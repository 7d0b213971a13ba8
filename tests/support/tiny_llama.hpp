// Small random models.
#pragma once

#include <cstddef>

#include "solopo/core/random.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo::test {

// Two layers, four heads over two key heads, biases: everything a llama or qwen2 model can have.
inline LlamaConfig tiny_config(bool tied = false, bool bias = true) {
  return {.model_type = bias ? "qwen2" : "llama",
          .vocab_size = 50,
          .hidden_size = 24,
          .intermediate_size = 40,
          .num_hidden_layers = 2,
          .num_attention_heads = 4,
          .num_key_value_heads = 2,
          .head_dim = 6,
          .max_position_embeddings = 512,
          .tie_word_embeddings = tied,
          .attention_bias = bias,
          .eos_token_id = 2};
}

// Norm weights near one, the rest normal with deviation 0.2.
template <class T>
LlamaWeights<T> random_weights(const LlamaConfig& config, std::uint64_t seed = 1) {
  LlamaWeights<T> weights(config);
  RandomStream random(seed, "weights");
  for (const TensorSlot& slot : weights.layout.slots()) {
    const bool norm = slot.name.find("norm") != std::string::npos;
    for (std::size_t i = 0; i < slot.size; ++i)
      weights.data[slot.offset + i] =
          static_cast<T>(norm ? 1 + 0.1 * random.normal() : 0.2 * random.normal());
  }
  return weights;
}

}  // namespace solopo::test
