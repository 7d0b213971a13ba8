// What of a model is needed to write prompts and count their tokens: its tokenizer, its chat template and how
// many tokens it reads. The weights are not loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "path_text.hpp"
#include "solopo/text/chat_template.hpp"
#include "solopo/text/tokenizer.hpp"

namespace solopo::cli {

struct PromptModel {
  text::Tokenizer tokenizer;
  text::ChatTemplate chat;
  std::int64_t context_length = 0;  // tokens, 0: not known
};

// From a Hugging Face folder or a GGUF file; `template_name` overrides the template found in it ("plain",
// ...). Throws ModelError, and as choose_template.
PromptModel load_prompt_model(const std::filesystem::path& model, const std::string& template_name = "");

// How results call a model: its path, and that of adapters merged into it.
[[nodiscard]] inline std::string name_of_model(const std::filesystem::path& model,
                                               const std::filesystem::path& adapter) {
  return path_text(model) + (adapter.empty() ? "" : " with " + path_text(adapter));
}

// SHA-256 over the names and content of the files that make a model, and of adapters' merged into it; a
// folder may hold others. Throws ModelError.
[[nodiscard]] std::string model_files_digest(const std::filesystem::path& model,
                                             const std::filesystem::path& adapter);

// Counts tokens as the model sees them.
struct TokenCounter {
  std::function<std::int64_t(std::string_view)> piece;  // part of a message
  std::function<std::int64_t(std::span<const text::Message>)>
      prompt;  // a prompt, up to the head of the answer
};

// Keeps references to both.
TokenCounter token_counter(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat);

}  // namespace solopo::cli
