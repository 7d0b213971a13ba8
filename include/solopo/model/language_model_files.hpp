// How a language model is read and written; language_model.hpp declares it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/gguf.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/remove_file.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/gguf_weights.hpp"
#include "solopo/model/language_model.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/model/safetensors_weights.hpp"
#include "solopo/text/chat_template.hpp"
#include "solopo/text/tokenizer.hpp"
#include "solopo/text/tokenizer_gguf_file.hpp"

#if defined(SOLOPO_LANGUAGE_MODEL_SOURCE)
#define SOLOPO_LANGUAGE_MODEL_INLINE
#else
#define SOLOPO_LANGUAGE_MODEL_INLINE inline
#endif

namespace solopo {

namespace language_model_detail {

inline ModelText finish(LlamaConfig config, text::Tokenizer tokenizer) {
  tokenizer.require_rows(config.vocab_size);
  text::ChatTemplate chat = text::detect_chat_template(tokenizer);
  return {std::move(config), std::move(tokenizer), std::move(chat)};
}

inline bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw ModelError("missing", {.file = path.string(), .field = {}}, "there is no such file or folder");
  return std::filesystem::is_directory(path, error);
}

inline ModelText read_folder_text(const std::filesystem::path& folder) {
  const auto file = folder / "config.json";
  if (!std::filesystem::exists(file) && std::filesystem::exists(folder / adapter_config_name))
    throw ModelError("adapter", {.file = folder.string(), .field = {}},
                     "holds adapters and no model; give it as the adapter (--adapter) of the model they were "
                     "trained on");
  LlamaConfig config = llama_config_from_json(read_config_file(file), file.string());
  return finish(std::move(config), text::Tokenizer::from_folder(folder));
}

inline ModelText read_gguf_text(const io::GgufFile& file) {
  return finish(llama_config_from_gguf(file), text::Tokenizer::from_gguf(file));
}

// Removes of an older model what another one's files would not replace. Without config.json, which goes
// first, the folder is not taken for a model. Throws IoError.
inline void remove_model(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> stale = {folder / "config.json",
                                              folder / "model.safetensors.index.json"};
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool shard = name.starts_with("model-") && name.find("-of-") != name.npos;
    if (shard && name.ends_with(".safetensors")) stale.push_back(entry->path());
  }
  if (error) throw IoError("read the folder", folder.string(), error.value(), error.message());
  for (const std::filesystem::path& file : stale) io::remove_file(file);
}

}  // namespace language_model_detail

SOLOPO_LANGUAGE_MODEL_INLINE ModelText load_model_text(const std::filesystem::path& path) {
  if (language_model_detail::is_folder(path)) return language_model_detail::read_folder_text(path);
  return language_model_detail::read_gguf_text(io::GgufFile(path));
}

SOLOPO_LANGUAGE_MODEL_INLINE LanguageModel load_model(const std::filesystem::path& path) {
  if (language_model_detail::is_folder(path)) {
    ModelText text = language_model_detail::read_folder_text(path);
    LlamaWeights<float> weights = read_safetensors_weights(path, text.config);
    return {std::move(text.config), std::move(weights), std::move(text.tokenizer), std::move(text.chat)};
  }
  const io::GgufFile file(path);
  ModelText text = language_model_detail::read_gguf_text(file);
  LlamaWeights<float> weights = read_gguf_weights(file, text.config);
  return {std::move(text.config), std::move(weights), std::move(text.tokenizer), std::move(text.chat)};
}

SOLOPO_LANGUAGE_MODEL_INLINE LanguageModel load_model(const std::filesystem::path& path,
                                                      const std::filesystem::path& adapter) {
  LanguageModel model = load_model(path);
  if (!adapter.empty()) merge(model.weights, load_lora(adapter, model.config));
  return model;
}

SOLOPO_LANGUAGE_MODEL_INLINE void save_model(const std::filesystem::path& folder,
                                             const LanguageModel& model) {
  io::Json generation = io::Json::object();
  if (model.config.bos_token_id >= 0) generation["bos_token_id"] = model.config.bos_token_id;
  generation["eos_token_id"] = text::end_of_turn(model.tokenizer, model.chat);
  std::optional<std::string> chat_template;  // unset: the tokenizer's own
  if (model.chat != text::detect_chat_template(model.tokenizer))
    chat_template = text::jinja_source(model.chat);

  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw IoError("create the folder", folder.string(), error.value(), error.message());
  language_model_detail::remove_model(folder);
  const auto tensors = tensors_to_write(model.weights.layout, model.weights.data.data());
  io::write_safetensors(folder / "model.safetensors", tensors, {{"format", "pt"}});
  model.tokenizer.save(folder, chat_template);
  io::write_file(folder / "generation_config.json", io::dump_json(generation, 2) + "\n");
  io::write_file(folder / "config.json", io::dump_json(llama_config_to_json(model.config), 2) + "\n");
}

}  // namespace solopo

#undef SOLOPO_LANGUAGE_MODEL_INLINE
