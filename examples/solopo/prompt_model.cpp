#include "prompt_model.hpp"

#include <utility>

#include "solopo/model/language_model.hpp"

namespace solopo::cli {

PromptModel load_prompt_model(const std::filesystem::path& model, const std::string& template_name) {
  ModelText text = load_model_text(model);
  if (!template_name.empty()) text.chat = text::parse_chat_template(template_name, text.tokenizer);
  return {.tokenizer = std::move(text.tokenizer),
          .chat = std::move(text.chat),
          .context_length = text.config.max_position_embeddings};
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
