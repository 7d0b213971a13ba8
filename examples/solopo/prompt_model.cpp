#include "prompt_model.hpp"

#include "solopo/io/gguf.hpp"
#include "solopo/io/json.hpp"

namespace solopo::cli {
namespace {

std::int64_t folder_context_length(const std::filesystem::path& folder) {
  const io::Json config = io::parse_json_file(folder / "config.json", io::FileRole::model);
  if (!config.is_object()) return 0;
  const auto found = config.find("max_position_embeddings");
  return found != config.end() && found->is_number_unsigned() ? found->get<std::int64_t>() : 0;
}

text::ChatTemplate choose_template(const text::Tokenizer& tokenizer, const std::string& name) {
  return name.empty() ? text::detect_chat_template(tokenizer) : text::parse_chat_template(name, tokenizer);
}

}  // namespace

PromptModel load_prompt_model(const std::filesystem::path& model, const std::string& template_name) {
  if (std::filesystem::is_directory(model)) {
    text::Tokenizer tokenizer = text::Tokenizer::from_folder(model);
    text::ChatTemplate chat = choose_template(tokenizer, template_name);
    return {.tokenizer = std::move(tokenizer),
            .chat = std::move(chat),
            .context_length = folder_context_length(model)};
  }
  const io::GgufFile file(model);
  text::Tokenizer tokenizer = text::Tokenizer::from_gguf(file);
  text::ChatTemplate chat = choose_template(tokenizer, template_name);
  const auto architecture = file.get<std::string>("general.architecture");
  return {
      .tokenizer = std::move(tokenizer),
      .chat = std::move(chat),
      .context_length = static_cast<std::int64_t>(file.get<std::uint32_t>(architecture + ".context_length"))};
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
