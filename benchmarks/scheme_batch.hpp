// What the benchmarks of the CPU and of the GPU share: a model of a known shape, and the batch of a scheme.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/cost/model_shape.hpp"
#include "solopo/cost/named_schemes.hpp"
#include "solopo/model/llama_config.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo::bench {

using Ids = std::vector<std::int32_t>;

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

inline LlamaConfig config_of(const cost::ModelShape& shape) {
  const auto size = [](cost::Count n) { return static_cast<std::int32_t>(n); };
  return {.model_type = shape.attention_bias ? "qwen2" : "llama",
          .vocab_size = size(shape.vocabulary),
          .hidden_size = size(shape.width),
          .intermediate_size = size(shape.ffn),
          .num_hidden_layers = size(shape.layers),
          .num_attention_heads = size(shape.heads),
          .num_key_value_heads = size(shape.kv_heads),
          .head_dim = size(shape.head_dim),
          .max_position_embeddings = 1 << 20,
          .rope_theta = 100000.0,
          .tie_word_embeddings = shape.tied_head,
          .attention_bias = shape.attention_bias};
}

// One record as the scheme lays it out: the batches that run one after the other.
inline std::vector<PackedSequences> scheme_batches(const cost::Scheme& scheme, const Ids& short_prompt,
                                                   const Ids& long_prompt, const Ids& chosen,
                                                   const Ids& rejected) {
  const bool solo = scheme.sides == cost::Sides::solopo;
  const Ids& prompt = solo ? short_prompt : long_prompt;
  const std::span<const std::int32_t> pair[] = {chosen, rejected};
  std::vector<PackedSequences> batches(1);
  if (scheme.share_prefix) {
    batches.back().append_shared(prompt, pair);
  } else {
    for (const auto& one : pair) batches.back().append(prompt, one);
  }
  if (scheme.passes == cost::Passes::short_side_first) batches.emplace_back();
  if (scheme.long_gradient == cost::LongGradient::response) {
    batches.back().append_read(long_prompt, {pair, 1});
  } else if (solo) {
    batches.back().append(long_prompt, chosen);
  }
  return batches;
}

}  // namespace solopo::bench
