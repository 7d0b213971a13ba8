// Adapters in a folder as Hugging Face's PEFT writes and reads it: adapter_config.json and
// adapter_model.safetensors. What would make the model another one and is not computed here is refused by
// name.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/remove_file.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/io/utf8.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/lora.hpp"
#include "solopo/model/safetensors_weights.hpp"

namespace solopo {

namespace lora_detail {

// What says nothing about the adapted model, or is read on its own.
inline constexpr std::array<std::string_view, 20> harmless = {"peft_type",         "r",
                                                              "lora_alpha",        "target_modules",
                                                              "use_rslora",        "bias",
                                                              "task_type",         "revision",
                                                              "auto_mapping",      "base_model_name_or_path",
                                                              "inference_mode",    "peft_version",
                                                              "lora_dropout",      "eva_config",
                                                              "loftq_config",      "corda_config",
                                                              "megatron_core",     "init_lora_weights",
                                                              "qalora_group_size", "runtime_config"};

inline bool is_off(const io::Json& value) {
  return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

inline std::string text(const io::Json& value) {
  return printable(value.is_string() ? value.get<std::string>() : io::dump_json(value));
}

inline std::string projection_list() {
  std::string out;
  for (const NamedProjection& p : projection_names) out += (out.empty() ? "" : ", ") + std::string(p.name);
  return out;
}

inline Projections targets_from(const config_detail::Fields& fields) {
  const io::Json& names = fields.require("target_modules");
  if (!names.is_array()) fields.refuse("target_modules", "must be a list of names of " + projection_list());
  Projections targets = Projections::none;
  for (const io::Json& name : names) {
    const auto known = std::find_if(projection_names.begin(), projection_names.end(),
                                    [&](const NamedProjection& p) { return name == p.name; });
    if (known == projection_names.end())
      fields.refuse("target_modules", "'" + text(name) + "' is not supported; allowed: " + projection_list());
    targets = targets | known->projection;
  }
  if (targets == Projections::none) fields.refuse("target_modules", "is empty");
  return targets;
}

}  // namespace lora_detail

// Reads adapter_config.json's content. use_rslora becomes the alpha of the same scale. Throws ModelError
// "config" (a key is missing, has another type, or asks for something that is not computed) or "hparam" (a
// value is impossible), naming file and key.
inline LoraConfig lora_config_from_json(const io::Json& json, const std::string& file) {
  const config_detail::Fields fields(json, file);
  const auto only = [&](const char* key, std::string_view allowed) {
    if (const io::Json* value = fields.find(key); value != nullptr && *value != allowed)
      fields.refuse(key,
                    "'" + lora_detail::text(*value) + "' is not supported; allowed: " + std::string(allowed));
  };
  if (const std::string type = fields.text("peft_type"); type != "LORA")
    fields.refuse("peft_type", "'" + printable(type) + "' is not supported; allowed: LORA");
  only("task_type", "CAUSAL_LM");
  only("bias", "none");
  for (const auto& [key, value] : json.items()) {
    const bool known = std::find(lora_detail::harmless.begin(), lora_detail::harmless.end(), key) !=
                       lora_detail::harmless.end();
    if (!known && !lora_detail::is_off(value))
      fields.refuse(key, lora_detail::text(value) + " is not supported; allowed: null, false or empty");
  }
  // These starts change the base, which must then be saved with the adapters.
  if (const io::Json* start = fields.find("init_lora_weights"); start != nullptr && !start->is_boolean())
    for (const std::string_view name : {"pissa", "olora", "loftq", "corda", "lora_ga"})
      if (!start->is_string() || start->get<std::string>().starts_with(name))
        fields.refuse("init_lora_weights",
                      "'" + lora_detail::text(*start) +
                          "' changes the base model; save the adapters converted to LoRA's");
  LoraConfig config{.rank = fields.integer("r"),
                    .alpha = fields.number("lora_alpha"),
                    .targets = lora_detail::targets_from(fields)};
  if (config.rank < 1 || config.rank > max_lora_rank)
    fields.refuse("r", std::to_string(config.rank) + " is not between 1 and " + std::to_string(max_lora_rank),
                  "hparam");
  if (fields.boolean_or("use_rslora", false)) config.alpha *= std::sqrt(static_cast<double>(config.rank));
  if (!(config.alpha > 0) || !std::isfinite(config.alpha))
    fields.refuse("lora_alpha", "must be finite and above 0", "hparam");
  return config;
}

// adapter_config.json's content. `base` says which model these are adapters of: a name or a path, for people
// and for PEFT.
inline io::Json lora_config_to_json(const LoraConfig& config, const std::string& base) {
  io::Json targets = io::Json::array();
  for (const NamedProjection& p : projection_names)
    if (has_any(config.targets, p.projection)) targets.push_back(p.name);
  io::Json json = {{"peft_type", "LORA"},
                   {"task_type", "CAUSAL_LM"},
                   {"base_model_name_or_path", base},
                   {"r", config.rank},
                   {"lora_alpha", config.alpha},
                   {"lora_dropout", 0.0},
                   {"target_modules", targets},
                   {"bias", "none"},
                   {"fan_in_fan_out", false},
                   {"modules_to_save", nullptr},
                   {"use_dora", false},
                   {"use_rslora", false},
                   {"inference_mode", true}};
  // PEFT's type for it is a whole number, though it takes others.
  if (config.alpha == std::floor(config.alpha) && config.alpha < 0x1p53)
    json["lora_alpha"] = static_cast<std::int64_t>(config.alpha);
  return json;
}

// Writes the adapters into `folder`, each file atomically; the folder is made when it is not there. Bytes of
// `base` that are not UTF-8 become U+FFFD. Throws IoError.
inline void save_lora(const std::filesystem::path& folder, const LoraWeights<float>& lora,
                      const std::string& base) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw IoError("create the folder", folder.string(), error.value(), error.message());
  // A folder without it is not taken for adapters: an old one goes first, the new one comes last.
  io::remove_file(folder / adapter_config_name);
  io::write_safetensors(folder / adapter_weights_name, tensors_to_write(lora.layout, lora.data.data()),
                        {{"format", "pt"}});
  const io::Json config = lora_config_to_json(lora.config, io::replace_invalid_utf8(base).text);
  io::write_file(folder / adapter_config_name, io::dump_json(config, 2) + "\n");
}

// What the adapters in `folder` are. Throws ModelError as lora_config_from_json.
[[nodiscard]] inline LoraConfig load_lora_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / adapter_config_name;
  return lora_config_from_json(read_config_file(file), file.string());
}

// The adapters in `folder` for a model of this shape; F32, F16, BF16 and F64 become float. Every name and
// shape is checked before memory for them is taken. Throws ModelError (see lora_config_from_json,
// TensorCensus and io/safetensors.hpp): also for another model's adapters.
[[nodiscard]] inline LoraWeights<float> load_lora(const std::filesystem::path& folder,
                                                  const LlamaConfig& model) {
  const LoraConfig config = load_lora_config(folder);
  const io::SafetensorsFile tensors(folder / adapter_weights_name);
  const LoraLayout layout(model, config);
  TensorCensus census;
  std::set<std::string_view> known;
  for (const TensorSlot& slot : layout.slots()) {
    known.insert(slot.name);
    if (const io::SafetensorsTensor* found = tensors.find(slot.name))
      census.compare(slot.name, slot.shape, {found->shape.begin(), found->shape.end()});
    else
      census.missing(slot.name);
  }
  for (const io::SafetensorsTensor& tensor : tensors.tensors())
    if (!known.contains(tensor.name)) census.unexpected(tensor.name);
  census.conclude(tensors.name(), "these adapters on this base model");
  LoraWeights<float> lora(model, config);
  for (const TensorSlot& slot : lora.layout.slots())
    tensors.read_f32(slot.name, {lora.data.data() + slot.offset, slot.size});
  return lora;
}

}  // namespace solopo
