// The shape of a llama-family decoder, under Hugging Face's names.
#pragma once

#include <cstdint>
#include <string>

namespace solopo {

struct LlamaConfig {
  std::string model_type = "llama";  // "llama" or "qwen2": the same computation, but for the biases
  std::int32_t vocab_size = 0;
  std::int32_t hidden_size = 0;        // C
  std::int32_t intermediate_size = 0;  // F
  std::int32_t num_hidden_layers = 0;
  std::int32_t num_attention_heads = 0;
  std::int32_t num_key_value_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t max_position_embeddings = 0;  // the longest sequence, in tokens
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  bool tie_word_embeddings = false;  // the head is the embedding
  bool attention_bias = false;       // q, k, v have biases (qwen2); the output projection never has
  std::int32_t bos_token_id = -1, eos_token_id = -1;  // -1: none

  [[nodiscard]] std::int32_t query_width() const noexcept { return num_attention_heads * head_dim; }
  [[nodiscard]] std::int32_t kv_width() const noexcept { return num_key_value_heads * head_dim; }
  // Columns of the fused [q | k | v] activations.
  [[nodiscard]] std::int32_t qkv_width() const noexcept { return query_width() + 2 * kv_width(); }

  friend bool operator==(const LlamaConfig&, const LlamaConfig&) = default;
};

}  // namespace solopo
