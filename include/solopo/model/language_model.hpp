// A model with everything that makes text of it: configuration, weights, tokenizer, chat template. Read from
// a Hugging Face folder or a GGUF file, written as a folder that transformers opens.
#pragma once

#include <filesystem>
#include <system_error>

#include "solopo/core/error.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/gguf.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/gguf_weights.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/safetensors_weights.hpp"
#include "solopo/text/chat_template.hpp"
#include "solopo/text/tokenizer.hpp"
#include "solopo/text/tokenizer_gguf_file.hpp"

namespace solopo {

struct LanguageModel {
  LlamaConfig config;
  LlamaWeights<float> weights;
  text::Tokenizer tokenizer;
  text::ChatTemplate chat;
};

// What a model is without its weights: quick to read, enough to build data.
struct ModelText {
  LlamaConfig config;
  text::Tokenizer tokenizer;
  text::ChatTemplate chat;
};

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
  LlamaConfig config = llama_config_from_json(io::parse_json_file(file, io::FileRole::model), file.string());
  return finish(std::move(config), text::Tokenizer::from_folder(folder));
}

inline ModelText read_gguf_text(const io::GgufFile& file) {
  return finish(llama_config_from_gguf(file), text::Tokenizer::from_gguf(file));
}

}  // namespace language_model_detail

// Configuration, tokenizer and chat template of a Hugging Face folder or a .gguf file. Throws ModelError.
inline ModelText load_model_text(const std::filesystem::path& path) {
  if (language_model_detail::is_folder(path)) return language_model_detail::read_folder_text(path);
  return language_model_detail::read_gguf_text(io::GgufFile(path));
}

// The whole model. Throws ModelError naming file, position and reason; nothing half-loaded is ever returned.
inline LanguageModel load_model(const std::filesystem::path& path) {
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

// Writes config.json, generation_config.json, model.safetensors and the tokenizer's files into `folder`, each
// file atomically; the folder is made when it is not there. Throws IoError.
inline void save_model(const std::filesystem::path& folder, const LanguageModel& model) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw IoError("create the folder", folder.string(), error.value(), error.message());
  const auto tensors = tensors_to_write(model.weights.layout, model.weights.data.data());
  io::write_safetensors(folder / "model.safetensors", tensors, {{"format", "pt"}});
  model.tokenizer.save(folder);
  io::Json generation = io::Json::object();
  if (model.config.bos_token_id >= 0) generation["bos_token_id"] = model.config.bos_token_id;
  generation["eos_token_id"] = text::end_of_turn(model.tokenizer, model.chat);
  io::write_file(folder / "generation_config.json", io::dump_json(generation, 2) + "\n");
  // Last: a folder without it is not taken for a model.
  io::write_file(folder / "config.json", io::dump_json(llama_config_to_json(model.config), 2) + "\n");
}

}  // namespace solopo
