// Weights and configuration in a GGUF file. Its names differ from Hugging Face's, and for the llama
// architecture the rows of q and k are stored for an interleaved rotary embedding; both are undone here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/gguf.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/safetensors_weights.hpp"

namespace solopo {

// The name a tensor of `slot.name` has in a GGUF file.
inline std::string gguf_tensor_name(const std::string& name) {
  static constexpr std::array<std::pair<const char*, const char*>, 15> parts = {
      {{"model.embed_tokens.weight", "token_embd.weight"},
       {"model.norm.weight", "output_norm.weight"},
       {"lm_head.weight", "output.weight"},
       {"input_layernorm.weight", "attn_norm.weight"},
       {"self_attn.q_proj.weight", "attn_q.weight"},
       {"self_attn.k_proj.weight", "attn_k.weight"},
       {"self_attn.v_proj.weight", "attn_v.weight"},
       {"self_attn.q_proj.bias", "attn_q.bias"},
       {"self_attn.k_proj.bias", "attn_k.bias"},
       {"self_attn.v_proj.bias", "attn_v.bias"},
       {"self_attn.o_proj.weight", "attn_output.weight"},
       {"post_attention_layernorm.weight", "ffn_norm.weight"},
       {"mlp.gate_proj.weight", "ffn_gate.weight"},
       {"mlp.up_proj.weight", "ffn_up.weight"},
       {"mlp.down_proj.weight", "ffn_down.weight"}}};
  const std::string layers = "model.layers.";
  std::string prefix, rest = name;
  if (name.starts_with(layers)) {
    const std::size_t dot = name.find('.', layers.size());
    prefix = "blk." + name.substr(layers.size(), dot - layers.size()) + ".";
    rest = name.substr(dot + 1);
  }
  for (const auto& [hugging_face, gguf] : parts)
    if (rest == hugging_face) return prefix + gguf;
  throw ArgumentError("name", "'" + printable(name) + "' has no GGUF name");
}

// Reads the configuration from the metadata. Throws ModelError: "config" (an architecture or a scaling that
// is not computed), "hparam" (an impossible value), or the codes of io::GgufMetadata.
inline LlamaConfig llama_config_from_gguf(const io::GgufFile& file) {
  const auto refuse = [&](const std::string& key, const std::string& reason) {
    throw ModelError("config", {.file = file.name(), .field = key}, reason);
  };
  if (file.find<std::int64_t>("split.count").value_or(1) > 1)
    refuse("split.count", "split files are not supported");
  LlamaConfig c;
  c.model_type = file.get<std::string>("general.architecture");
  if (c.model_type != "llama" && c.model_type != "qwen2")
    refuse("general.architecture",
           "'" + printable(c.model_type) + "' is not supported; allowed: llama, qwen2");
  const std::string prefix = c.model_type + ".";
  const auto integer = [&](const char* key) { return file.get<std::int32_t>(prefix + key); };
  c.num_hidden_layers = integer("block_count");
  c.hidden_size = integer("embedding_length");
  c.intermediate_size = integer("feed_forward_length");
  c.num_attention_heads = integer("attention.head_count");
  c.num_key_value_heads =
      file.find<std::int32_t>(prefix + "attention.head_count_kv").value_or(c.num_attention_heads);
  c.max_position_embeddings = integer("context_length");
  c.rms_norm_eps = file.get<double>(prefix + "attention.layer_norm_rms_epsilon");
  c.rope_theta = file.get<double>(prefix + "rope.freq_base");
  const auto scaling = file.find<std::string>(prefix + "rope.scaling.type");
  if (scaling && *scaling != "none")
    refuse(prefix + "rope.scaling.type", "'" + printable(*scaling) + "' is not supported; allowed: none");
  for (const char* key : {"rope.scaling.factor", "rope.scale_linear"})  // without a type they scale, too
    if (const auto factor = file.find<double>(prefix + key); !scaling && factor && *factor != 1)
      refuse(prefix + key, "scaling by " + std::to_string(*factor) + " is not supported; allowed: 1");
  if (file.find_tensor("rope_freqs.weight") != nullptr)
    refuse("rope_freqs.weight", "the file scales its rotary frequencies, which is not supported");
  if (file.find<std::int64_t>(prefix + "expert_count").value_or(0) > 0)
    refuse(prefix + "expert_count", "mixtures of experts are not supported");
  c.attention_bias = c.model_type == "qwen2";
  c.tie_word_embeddings = file.find_tensor("output.weight") == nullptr;
  if (const auto tokens = file.metadata().entry("tokenizer.ggml.tokens"); tokens != nullptr)
    c.vocab_size = static_cast<std::int32_t>(std::min<std::uint64_t>(tokens->count, 1u << 30));
  else
    c.vocab_size = integer("vocab_size");
  if (const auto width = file.find<std::int32_t>(prefix + "attention.key_length"))
    c.head_dim = *width;
  else if (c.num_attention_heads > 0 && c.hidden_size % c.num_attention_heads == 0)
    c.head_dim = c.hidden_size / c.num_attention_heads;
  c.bos_token_id = file.find<std::int32_t>("tokenizer.ggml.bos_token_id").value_or(-1);
  c.eos_token_id = file.find<std::int32_t>("tokenizer.ggml.eos_token_id").value_or(-1);
  check_llama_config(c, file.name());
  if (const auto rotary = file.find<std::int32_t>(prefix + "rope.dimension_count");
      rotary && *rotary != c.head_dim)
    refuse(prefix + "rope.dimension_count", "is " + std::to_string(*rotary) + ", but a head has " +
                                                std::to_string(c.head_dim) +
                                                " elements; partial rotary is not supported");
  return c;
}

// Reads the weights; every name and shape is checked before memory for them is taken.
// Throws ModelError (see TensorCensus and io/gguf.hpp).
inline LlamaWeights<float> read_gguf_weights(const io::GgufFile& file, const LlamaConfig& config) {
  const LlamaLayout layout(config);
  TensorCensus census;
  std::vector<std::string> known;
  for (const TensorSlot& slot : layout.slots()) {
    const std::string name = gguf_tensor_name(slot.name);
    known.push_back(name);
    const io::GgufTensor* found = file.find_tensor(name);
    if (found == nullptr) {
      census.missing(name);
      continue;
    }
    std::vector<std::int64_t> shape(found->dims.rbegin(),
                                    found->dims.rend());  // GGUF lists the fastest first
    census.compare(name, slot.shape, shape);
  }
  std::sort(known.begin(), known.end());
  for (const io::GgufTensor& tensor : file.tensors())
    if (!std::binary_search(known.begin(), known.end(), tensor.name)) census.unexpected(tensor.name);
  census.conclude(file.name());

  LlamaWeights<float> weights(config);
  std::vector<float> stored;
  for (const TensorSlot& slot : layout.slots()) {
    const std::span<float> to(weights.data.data() + slot.offset, slot.size);
    const bool interleaved = config.model_type == "llama" &&
                             (slot.name.ends_with("q_proj.weight") || slot.name.ends_with("k_proj.weight"));
    if (!interleaved) {
      file.read_f32(gguf_tensor_name(slot.name), to);
      continue;
    }
    // Row 2 i + j of a head there is row j d/2 + i here.
    stored.resize(slot.size);
    file.read_f32(gguf_tensor_name(slot.name), stored);
    const std::size_t width = static_cast<std::size_t>(config.hidden_size), d = config.head_dim, half = d / 2;
    for (std::size_t row = 0; row < slot.size / width; ++row) {
      const std::size_t head = row / d, within = row % d;
      const std::size_t target = head * d + (within % 2) * half + within / 2;
      std::copy_n(stored.data() + row * width, width, to.data() + target * width);
    }
  }
  return weights;
}

}  // namespace solopo
