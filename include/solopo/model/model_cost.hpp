// The cost model's view of this model: the shape of a configuration, and what Llama (llama.hpp) computes
// twice and keeps. Where Llama changes, this changes with it; tests/model/work_count_test.cpp holds the two
// together.
#pragma once

#include "solopo/cost/flops.hpp"
#include "solopo/cost/memory.hpp"
#include "solopo/cost/model_shape.hpp"
#include "solopo/cost/scheme.hpp"
#include "solopo/kernels/attention.hpp"
#include "solopo/kernels/lm_head.hpp"
#include "solopo/model/llama_config.hpp"
#include "solopo/model/lora.hpp"

namespace solopo {

[[nodiscard]] inline cost::ModelShape model_shape(const LlamaConfig& config) noexcept {
  return {.width = config.hidden_size,
          .layers = config.num_hidden_layers,
          .heads = config.num_attention_heads,
          .kv_heads = config.num_key_value_heads,
          .head_dim = config.head_dim,
          .ffn = config.intermediate_size,
          .vocabulary = config.vocab_size,
          .tied_head = config.tie_word_embeddings,
          .attention_bias = config.attention_bias};
}

[[nodiscard]] constexpr cost::Lora lora_shape(const LoraConfig& config) noexcept {
  return {.rank = config.rank, .targets = config.targets};
}

// The logits of scored rows are computed again in the backward, and what adapters keep between their two
// matrices; with `recompute` (LlamaOptions) the layers too.
[[nodiscard]] constexpr cost::TrainingOptions llama_training(bool recompute,
                                                             const cost::Lora& lora = {}) noexcept {
  return {.recompute = recompute ? cost::Recompute::layers_but_down : cost::Recompute::none,
          .recompute_logits = true,
          .lora = lora,
          .recompute_inner = true};
}

[[nodiscard]] constexpr cost::MemoryOptions llama_memory(bool recompute, const cost::Lora& lora = {},
                                                         cost::Count mlp_rows = 0) noexcept {
  return {.kept = recompute ? cost::Kept::layer_inputs : cost::Kept::everything,
          .head_tile_rows = kernels::head_tile_rows,
          .head_tile_columns = kernels::head_tile_columns,
          .read_rows_at_once = kernels::read_chunk,
          .mlp_rows = mlp_rows,
          .lora = lora};
}

// What Llama computes of a record: the last layer stops at keys and values in every row that is not scored.
// Throws as record_work().
[[nodiscard]] constexpr cost::RecordWork llama_work(const cost::RecordLengths& record, cost::Scheme scheme) {
  scheme.skip_last_layer = true;
  return record_work(record, scheme);
}

}  // namespace solopo
