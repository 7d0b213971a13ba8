// All weights of a model in one flat buffer, with a name, shape and place for each tensor. Gradients and
// optimiser state have the same layout, so an optimiser is one loop and a checkpoint a list of slots. q, k, v
// follow each other and so do gate and up: one product computes each group.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/model/llama_config.hpp"
#include "solopo/model/tensor_layout.hpp"

namespace solopo {

class LlamaLayout : public TensorLayout {
 public:
  // Offsets of one decoder layer.
  struct Layer {
    std::size_t input_norm = 0;  // (C)
    std::size_t qkv = 0;         // (d_q + 2 d_kv, C)
    std::size_t qkv_bias = 0;    // (d_q + 2 d_kv), only with attention_bias
    std::size_t output = 0;      // (C, d_q)
    std::size_t mlp_norm = 0;    // (C)
    std::size_t gate_up = 0;     // (2 F, C)
    std::size_t down = 0;        // (C, F)
  };

  LlamaLayout() = default;
  explicit LlamaLayout(const LlamaConfig& c) {
    const std::int64_t width = c.hidden_size, ffn = c.intermediate_size, dq = c.query_width(),
                       dkv = c.kv_width();
    embedding = add("model.embed_tokens.weight", {c.vocab_size, width});
    layers.resize(static_cast<std::size_t>(c.num_hidden_layers));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string prefix = "model.layers." + std::to_string(i) + ".", attention = prefix + "self_attn.";
      Layer& l = layers[i];
      l.input_norm = add(prefix + "input_layernorm.weight", {width});
      l.qkv = add(attention + "q_proj.weight", {dq, width});
      add(attention + "k_proj.weight", {dkv, width}, true);
      add(attention + "v_proj.weight", {dkv, width}, true);
      if (c.attention_bias) {
        l.qkv_bias = add(attention + "q_proj.bias", {dq});
        add(attention + "k_proj.bias", {dkv}, true);
        add(attention + "v_proj.bias", {dkv}, true);
      }
      l.output = add(attention + "o_proj.weight", {width, dq});
      l.mlp_norm = add(prefix + "post_attention_layernorm.weight", {width});
      l.gate_up = add(prefix + "mlp.gate_proj.weight", {ffn, width});
      add(prefix + "mlp.up_proj.weight", {ffn, width}, true);
      l.down = add(prefix + "mlp.down_proj.weight", {width, ffn});
    }
    final_norm = add("model.norm.weight", {width});
    head = c.tie_word_embeddings ? embedding : add("lm_head.weight", {c.vocab_size, width});
  }

  std::size_t embedding = 0;  // (V, C)
  std::vector<Layer> layers;
  std::size_t final_norm = 0;  // (C)
  std::size_t head = 0;        // (V, C); the embedding's own place when tied
};

template <class T>
struct LlamaWeights {
  LlamaConfig config;
  LlamaLayout layout;
  kernels::AlignedVector<T> data;  // (layout.size())

  LlamaWeights() = default;
  // All zero.
  explicit LlamaWeights(const LlamaConfig& c) : config(c), layout(c), data(layout.size(), T(0)) {}

  [[nodiscard]] std::span<T> tensor(std::string_view name) {
    const TensorSlot& s = layout.slot(name);
    return {data.data() + s.offset, s.size};
  }
  [[nodiscard]] std::span<const T> tensor(std::string_view name) const {
    const TensorSlot& s = layout.slot(name);
    return {data.data() + s.offset, s.size};
  }
};

// The embeddings of tokens that are in the vocabulary, a row each.
template <class T>
void embed(const LlamaWeights<T>& weights, std::span<const std::int32_t> tokens, MatrixView<T> rows) {
  const auto width = static_cast<std::size_t>(weights.config.hidden_size);
  const T* table = weights.data.data() + weights.layout.embedding;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    std::copy_n(table + static_cast<std::size_t>(tokens[i]) * width, width,
                rows.row(static_cast<std::ptrdiff_t>(i)));
}

}  // namespace solopo
