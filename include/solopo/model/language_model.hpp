// A model with everything that makes text of it: configuration, weights, tokenizer, chat template. Read from
// a Hugging Face folder or a GGUF file, written as a folder that transformers opens.
// The readers take a compiler long. A program of several files compiles them once: define
// SOLOPO_COMPILED_LANGUAGE_MODEL for all of them, and in one more file define SOLOPO_LANGUAGE_MODEL_SOURCE
// too and include solopo/model/language_model_files.hpp.
#pragma once

#include <filesystem>

#include "solopo/model/llama_config.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/text/chat_template.hpp"
#include "solopo/text/tokenizer.hpp"

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

// Configuration, tokenizer and chat template of a Hugging Face folder or a .gguf file; a template that is not
// known is ChatTemplate::Kind::unknown. Throws ModelError.
[[nodiscard]] ModelText load_model_text(const std::filesystem::path& path);

// The whole model. Throws ModelError naming file, position and reason; nothing half-loaded is ever returned.
[[nodiscard]] LanguageModel load_model(const std::filesystem::path& path);

// The model with the adapters in a folder of PEFT's format (lora_files.hpp) merged into its weights; an empty
// `adapter` is none. Throws ModelError, also for another model's adapters.
[[nodiscard]] LanguageModel load_model(const std::filesystem::path& path,
                                       const std::filesystem::path& adapter);

// Writes config.json, generation_config.json, model.safetensors and the tokenizer's files into `folder`, each
// file atomically; the folder is made when it is not there. What an older model's folder has besides is
// removed where it would be read: shards and their list, a chat template of its own. A chat template that is
// not the tokenizer's own is written as Jinja. Throws IoError; ModelError "template" where no token ends a
// response.
void save_model(const std::filesystem::path& folder, const LanguageModel& model);

}  // namespace solopo

#if !defined(SOLOPO_COMPILED_LANGUAGE_MODEL)
#include "solopo/model/language_model_files.hpp"
#endif
