// The chat template of --template.
#pragma once

#include <string>

#include "solopo/text/chat_template.hpp"
#include "usage_error.hpp"

namespace solopo::cli {

// The template of a name, or the model's own when it is empty. `model` has a tokenizer and a chat. Throws
// UsageError for a name that is none; ModelError where the model lacks a marker, or its own is not known.
template <class Model>
[[nodiscard]] text::ChatTemplate choose_template(const std::string& name, const Model& model) {
  if (name.empty()) {
    text::require_known(model.chat, model.tokenizer);
    return model.chat;
  }
  one_of("--template", name, text::chat_template_names,
         [](const std::string& problem) { throw UsageError(problem); });
  return text::parse_chat_template(name, model.tokenizer);
}

}  // namespace solopo::cli
