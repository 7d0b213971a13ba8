// Shapes of models that people train, from the config.json of each on Hugging Face. Their weights() are the
// parameter counts that the models' safetensors files state.
#pragma once

#include <string>
#include <string_view>

#include "solopo/core/error.hpp"
#include "solopo/cost/model_shape.hpp"

namespace solopo::cost {

struct NamedShape {
  const char* name;
  const char* source;  // the repository whose config.json says so
  ModelShape shape;
};

inline constexpr NamedShape model_shapes[] = {
    {"smollm2-135m",
     "HuggingFaceTB/SmolLM2-135M-Instruct",
     {.width = 576,
      .layers = 30,
      .heads = 9,
      .kv_heads = 3,
      .head_dim = 64,
      .ffn = 1536,
      .vocabulary = 49152,
      .tied_head = true}},
    {"qwen2.5-0.5b",
     "Qwen/Qwen2.5-0.5B-Instruct",
     {.width = 896,
      .layers = 24,
      .heads = 14,
      .kv_heads = 2,
      .head_dim = 64,
      .ffn = 4864,
      .vocabulary = 151936,
      .tied_head = true,
      .attention_bias = true}},
    {"qwen2.5-1.5b",
     "Qwen/Qwen2.5-1.5B-Instruct",
     {.width = 1536,
      .layers = 28,
      .heads = 12,
      .kv_heads = 2,
      .head_dim = 128,
      .ffn = 8960,
      .vocabulary = 151936,
      .tied_head = true,
      .attention_bias = true}},
    {"qwen2.5-7b",
     "Qwen/Qwen2.5-7B-Instruct",
     {.width = 3584,
      .layers = 28,
      .heads = 28,
      .kv_heads = 4,
      .head_dim = 128,
      .ffn = 18944,
      .vocabulary = 152064,
      .tied_head = false,
      .attention_bias = true}},
    {"llama-3.1-8b",
     "meta-llama/Llama-3.1-8B-Instruct",
     {.width = 4096,
      .layers = 32,
      .heads = 32,
      .kv_heads = 8,
      .head_dim = 128,
      .ffn = 14336,
      .vocabulary = 128256,
      .tied_head = false}},
};

// Throws ArgumentError listing the names when there is no such shape.
constexpr const ModelShape& find_model_shape(std::string_view name) {
  for (const NamedShape& known : model_shapes)
    if (name == known.name) return known.shape;
  std::string names;
  for (const NamedShape& known : model_shapes) names += (names.empty() ? "" : ", ") + std::string(known.name);
  throw ArgumentError("model_shape", "'" + printable(name) + "' is not one of " + names);
}

}  // namespace solopo::cost
