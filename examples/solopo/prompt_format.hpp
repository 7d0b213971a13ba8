// How passages and a question become the text of a user's turn.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "qa_reader.hpp"
#include "solopo/io/json.hpp"
#include "solopo/text/chat_template.hpp"

namespace solopo::cli {

// The turn is: instruction, passages joined by `separator`, question; these three joined by `block`.
// An empty instruction takes its `block` with it, and so do no passages at all.
struct PromptFormat {
  std::string instruction = "Answer the question using the passages. Give only the answer.";
  std::string passage = "{title}\n{text}";  // an untitled paragraph loses all that stands before {text}
  std::string separator = "\n\n";
  std::string question = "Question: {question}\nAnswer:";
  std::string block = "\n\n";
  std::string answer = "{answer}";  // how a gold answer is written as a response
};

// UsageError: passage without {text}, question without {question}, answer without {answer}.
void check_prompt_format(const PromptFormat& format);

std::string render_passage(const PromptFormat& format, const Paragraph& paragraph);
// The text of the turn, from rendered passages.
std::string render_turn(const PromptFormat& format, std::span<const std::string> passages,
                        std::string_view question);
std::string render_answer(const PromptFormat& format, std::string_view answer);

// Replaces \n, \t and \\ written out, as they come from a command line.
std::string unescape(std::string_view text);

io::Json to_json(const PromptFormat& format);
// Members that are missing keep their defaults; unknown ones and wrong types are a UsageError.
PromptFormat prompt_format_from_json(const io::Json& json);

io::Json to_json(std::span<const text::Message> messages);

}  // namespace solopo::cli
