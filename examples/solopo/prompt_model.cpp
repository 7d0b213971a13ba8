#include "prompt_model.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "choose_template.hpp"
#include "solopo/io/input_file.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/model/language_model.hpp"

namespace solopo::cli {
namespace {

bool makes_the_model(const std::string& file) {
  static constexpr std::array<std::string_view, 11> names = {"adapter_config.json",
                                                             "added_tokens.json",
                                                             "chat_template.jinja",
                                                             "config.json",
                                                             "generation_config.json",
                                                             "merges.txt",
                                                             "special_tokens_map.json",
                                                             "tokenizer.json",
                                                             "tokenizer.model",
                                                             "tokenizer_config.json",
                                                             "vocab.json"};
  return file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json") ||
         std::find(names.begin(), names.end(), file) != names.end();
}

std::string files_digest(const std::filesystem::path& model) {
  if (!std::filesystem::is_directory(model)) return io::sha256_file(model, io::FileRole::model);
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(model)) {
    if (entry.is_regular_file() && makes_the_model(entry.path().filename().string()))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::string all;
  for (const auto& file : files)
    all += file.filename().string() + " " + io::sha256_file(file, io::FileRole::model) + "\n";
  return io::sha256_hex(all);
}

}  // namespace

PromptModel load_prompt_model(const std::filesystem::path& model, const std::string& template_name) {
  ModelText text = load_model_text(model);
  text.chat = choose_template(template_name, text);
  return {.tokenizer = std::move(text.tokenizer),
          .chat = std::move(text.chat),
          .context_length = text.config.max_position_embeddings};
}

std::string model_files_digest(const std::filesystem::path& model, const std::filesystem::path& adapter) {
  const std::string own = files_digest(model);
  return adapter.empty() ? own : io::sha256_hex(own + files_digest(adapter));
}

TokenCounter token_counter(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat) {
  return {.piece =
              [&tokenizer](std::string_view text) {
                return static_cast<std::int64_t>(tokenizer.encode(text).size());
              },
          .prompt =
              [&tokenizer, &chat](std::span<const text::Message> messages) {
                return static_cast<std::int64_t>(text::encode_chat(tokenizer, chat, messages, true).size());
              }};
}

}  // namespace solopo::cli
