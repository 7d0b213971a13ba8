// config.json of a Hugging Face folder <-> LlamaConfig. Anything in it that would change the mathematics and
// is not computed here is refused by name: a silent default would train another model.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "solopo/core/error.hpp"
#include "solopo/io/json.hpp"
#include "solopo/model/llama_config.hpp"

namespace solopo {

// config.json or adapter_config.json, of which a mebibyte is read at most. Throws ModelError: the codes of
// io::parse_json_file.
[[nodiscard]] inline io::Json read_config_file(const std::filesystem::path& file) {
  return io::parse_json_file(file, io::FileRole::model, {.max_bytes = std::uint64_t{1} << 20});
}

// Refuses a shape that cannot be computed or is beyond anything known (so that a hostile file cannot ask for
// giant arrays). Throws ModelError "hparam" naming the key.
inline void check_llama_config(const LlamaConfig& c, const std::string& file) {
  const auto refuse = [&](const char* key, const std::string& reason) {
    throw ModelError("hparam", {.file = file, .field = key}, reason);
  };
  struct Limit {
    const char* key;
    std::int64_t value, most;
  };
  const std::array<Limit, 8> limits = {{{"vocab_size", c.vocab_size, 1 << 22},
                                        {"hidden_size", c.hidden_size, 1 << 16},
                                        {"intermediate_size", c.intermediate_size, 1 << 18},
                                        {"num_hidden_layers", c.num_hidden_layers, 512},
                                        {"num_attention_heads", c.num_attention_heads, 1024},
                                        {"num_key_value_heads", c.num_key_value_heads, 1024},
                                        {"head_dim", c.head_dim, 1024},
                                        {"max_position_embeddings", c.max_position_embeddings, 1 << 26}}};
  for (const Limit& l : limits)
    if (l.value < 1 || l.value > l.most)
      refuse(l.key, std::to_string(l.value) + " is not between 1 and " + std::to_string(l.most));
  if (c.num_attention_heads % c.num_key_value_heads != 0)
    refuse("num_key_value_heads", std::to_string(c.num_key_value_heads) + " does not divide " +
                                      std::to_string(c.num_attention_heads) + " attention heads");
  if (c.head_dim % 2 != 0)
    refuse("head_dim", "must be even for rotary positions, is " + std::to_string(c.head_dim));
  if (!(c.rms_norm_eps > 0) || c.rms_norm_eps > 1) refuse("rms_norm_eps", "must be above 0 and at most 1");
  if (!(c.rope_theta > 0) || c.rope_theta > 1e12) refuse("rope_theta", "must be above 0 and at most 1e12");
}

namespace config_detail {

// Typed look-ups in one JSON object that know how to complain.
class Fields {
 public:
  Fields(const io::Json& object, std::string file) : object_(object), file_(std::move(file)) {
    if (!object.is_object()) refuse("", "is not a JSON object");
  }
  [[noreturn]] void refuse(std::string_view key, const std::string& reason,
                           const char* code = "config") const {
    throw ModelError(code, {.file = file_, .field = std::string(key)}, reason);
  }
  // Null when absent or null.
  [[nodiscard]] const io::Json* find(const char* key) const {
    const auto at = object_.find(key);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  [[nodiscard]] const io::Json& require(const char* key) const {
    if (const io::Json* value = find(key)) return *value;
    refuse(key, "is required and missing");
  }
  [[nodiscard]] std::int32_t integer(const char* key) const { return as_integer(key, require(key)); }
  [[nodiscard]] double number(const char* key) const { return as_number(key, require(key)); }
  [[nodiscard]] bool boolean(const char* key) const { return as_boolean(key, require(key)); }
  [[nodiscard]] bool boolean_or(const char* key, bool absent) const {
    const io::Json* value = find(key);
    return value == nullptr ? absent : as_boolean(key, *value);
  }
  [[nodiscard]] std::string text(const char* key) const {
    const io::Json& value = require(key);
    if (!value.is_string()) refuse(key, "must be a string");
    return value.get<std::string>();
  }
  [[nodiscard]] std::int32_t as_integer(const char* key, const io::Json& value) const {
    if (!value.is_number_integer()) refuse(key, "must be an integer");
    if (value.is_number_unsigned()
            ? value.get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int32_t>::max())
            : value.get<std::int64_t>() < std::numeric_limits<std::int32_t>::min())
      refuse(key, "is out of range");
    return value.get<std::int32_t>();
  }
  [[nodiscard]] double as_number(const char* key, const io::Json& value) const {
    if (!value.is_number()) refuse(key, "must be a number");
    return value.get<double>();
  }
  [[nodiscard]] bool as_boolean(const char* key, const io::Json& value) const {
    if (!value.is_boolean()) refuse(key, "must be true or false");
    return value.get<bool>();
  }
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

 private:
  const io::Json& object_;
  std::string file_;
};

// theta, from transformers 5's rope_parameters or the older rope_theta; any scaling is refused.
inline double rope_theta(const Fields& fields) {
  const auto refuse_scaling = [&](const std::string& key, const io::Json& scaling) {
    if (!scaling.is_object()) fields.refuse(key, "must be an object or null");
    bool has_type = false;
    for (const char* name : {"rope_type", "type"}) {
      const auto type = scaling.find(name);
      if (type == scaling.end() || type->is_null()) continue;
      has_type = true;
      if (*type != "default")
        fields.refuse(key + "." + name,
                      "scaling '" + printable(type->is_string() ? type->get<std::string>() : type->dump()) +
                          "' is not supported; allowed: default");
    }
    const auto factor = scaling.find("factor");
    if (!has_type && factor != scaling.end() && !factor->is_null() && *factor != 1)
      fields.refuse(key + ".factor", "scaling by " + printable(factor->dump()) + " is not supported");
  };
  if (const io::Json* scaling = fields.find("rope_scaling")) refuse_scaling("rope_scaling", *scaling);
  if (const io::Json* parameters = fields.find("rope_parameters")) {
    refuse_scaling("rope_parameters", *parameters);
    if (const auto theta = parameters->find("rope_theta"); theta != parameters->end())
      return fields.as_number("rope_parameters.rope_theta", *theta);
  }
  if (fields.find("rope_theta") != nullptr) return fields.number("rope_theta");
  fields.refuse("rope_theta", "is missing, and so is rope_parameters.rope_theta");
}

}  // namespace config_detail

// Reads config.json's content. Throws ModelError "config" (a key is missing, has another type, or asks for
// something that is not computed) or "hparam" (a value is impossible), naming file and key.
inline LlamaConfig llama_config_from_json(const io::Json& json, const std::string& file) {
  const config_detail::Fields fields(json, file);
  LlamaConfig c;
  c.model_type = fields.text("model_type");
  if (c.model_type != "llama" && c.model_type != "qwen2")
    fields.refuse("model_type", "'" + printable(c.model_type) + "' is not supported; allowed: llama, qwen2");
  const bool llama = c.model_type == "llama";
  if (const std::string act = fields.text("hidden_act"); act != "silu")
    fields.refuse("hidden_act", "'" + printable(act) + "' is not supported; allowed: silu");
  if (llama && fields.boolean_or("attention_bias", false))
    fields.refuse("attention_bias", "true is not supported for llama; allowed: false");
  if (fields.boolean_or("mlp_bias", false))
    fields.refuse("mlp_bias", "true is not supported; allowed: false");
  if (fields.boolean_or("use_sliding_window", false))
    fields.refuse("use_sliding_window", "true is not supported; allowed: false");
  c.attention_bias = !llama;  // qwen2 always has biases on q, k, v, and no key that says so
  c.vocab_size = fields.integer("vocab_size");
  c.hidden_size = fields.integer("hidden_size");
  c.intermediate_size = fields.integer("intermediate_size");
  c.num_hidden_layers = fields.integer("num_hidden_layers");
  c.num_attention_heads = fields.integer("num_attention_heads");
  c.num_key_value_heads = fields.integer("num_key_value_heads");
  c.max_position_embeddings = fields.integer("max_position_embeddings");
  c.rms_norm_eps = fields.number("rms_norm_eps");
  c.rope_theta = config_detail::rope_theta(fields);
  c.tie_word_embeddings = fields.boolean("tie_word_embeddings");
  if (fields.find("head_dim") != nullptr) {
    c.head_dim = fields.integer("head_dim");
  } else if (c.num_attention_heads > 0 && c.hidden_size > 0) {
    if (c.hidden_size % c.num_attention_heads != 0)
      fields.refuse("num_attention_heads", "does not divide hidden_size, and there is no head_dim", "hparam");
    c.head_dim = c.hidden_size / c.num_attention_heads;
  }
  const auto token = [&](const char* key) -> std::int32_t {
    const io::Json* value = fields.find(key);
    if (value == nullptr) return -1;
    if (value->is_array()) return value->empty() ? -1 : fields.as_integer(key, value->front());
    return fields.as_integer(key, *value);
  };
  c.bos_token_id = token("bos_token_id");
  c.eos_token_id = token("eos_token_id");
  check_llama_config(c, file);
  return c;
}

// config.json's content for this model, with theta under both its old and its new name so that any
// transformers opens it.
inline io::Json llama_config_to_json(const LlamaConfig& c) {
  io::Json json = {{"architectures", {c.model_type == "qwen2" ? "Qwen2ForCausalLM" : "LlamaForCausalLM"}},
                   {"model_type", c.model_type},
                   {"vocab_size", c.vocab_size},
                   {"hidden_size", c.hidden_size},
                   {"intermediate_size", c.intermediate_size},
                   {"num_hidden_layers", c.num_hidden_layers},
                   {"num_attention_heads", c.num_attention_heads},
                   {"num_key_value_heads", c.num_key_value_heads},
                   {"head_dim", c.head_dim},
                   {"max_position_embeddings", c.max_position_embeddings},
                   {"rms_norm_eps", c.rms_norm_eps},
                   {"rope_theta", c.rope_theta},
                   {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", c.rope_theta}}},
                   {"hidden_act", "silu"},
                   {"tie_word_embeddings", c.tie_word_embeddings},
                   {"dtype", "float32"},
                   {"torch_dtype", "float32"}};
  if (c.model_type == "llama") json["attention_bias"] = json["mlp_bias"] = false;
  if (c.model_type == "qwen2") json["use_sliding_window"] = false;
  if (c.bos_token_id >= 0) json["bos_token_id"] = c.bos_token_id;
  if (c.eos_token_id >= 0) json["eos_token_id"] = c.eos_token_id;
  return json;
}

}  // namespace solopo
