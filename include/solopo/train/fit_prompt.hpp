// A prompt that is too long for the model, cut in the middle of its context: the instruction before the
// context and the question after it stay whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/train/record_encoder.hpp"

namespace solopo {

// What may be cut from a prompt's text: bytes [begin, end).
struct ContextRange {
  std::size_t begin = 0, end = 0;
};

// The context of `text`: all after the first paragraph, when there are three or more, and before the line on
// which `question` last occurs; without a question, before the last paragraph (or the last line of a single
// paragraph). Empty when nothing lies between.
[[nodiscard]] inline ContextRange context_range(std::string_view text, std::string_view question) {
  std::size_t end = std::string_view::npos;
  if (!question.empty()) {
    const std::size_t found = text.rfind(question);
    if (found != std::string_view::npos) {
      const std::size_t line = found == 0 ? std::string_view::npos : text.rfind('\n', found - 1);
      end = line == std::string_view::npos ? 0 : line;
    }
  }
  if (end == std::string_view::npos) {
    end = text.rfind("\n\n");
    if (end == std::string_view::npos) end = text.rfind('\n');
    if (end == std::string_view::npos) return {};
  }
  while (end > 0 && text[end - 1] == '\n') --end;
  const std::size_t paragraph = text.find("\n\n");
  const std::size_t begin = paragraph == std::string_view::npos || paragraph >= end ? 0 : paragraph + 2;
  return {begin, std::max(begin, end)};
}

// `text` without the middle of `context`, of which about `kept` bytes stay, half before the gap and half
// after it. The gap is one line break; no word is cut in two.
[[nodiscard]] inline std::string without_middle(std::string_view text, ContextRange context,
                                                std::size_t kept) {
  const auto space = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
  if (kept >= context.end - context.begin) return std::string(text);
  std::size_t left = context.begin + kept / 2, right = context.end - (kept - kept / 2);
  while (left > context.begin && !space(text[left]) && !space(text[left - 1])) --left;
  while (left > context.begin && space(text[left - 1])) --left;
  while (right < context.end && !space(text[right]) && !space(text[right - 1])) ++right;
  while (right < context.end && space(text[right])) ++right;
  std::string out(text.substr(0, left));
  if (right < context.end) {
    if (left > context.begin) out += '\n';
    return out += text.substr(right);
  }
  std::size_t rest = context.end;
  while (rest < text.size() && left == context.begin && text[rest] == '\n') ++rest;
  return out += text.substr(rest);
}

// The ids of `prompt`, at most `budget` of them, after cutting as little as needed from the middle of the
// context of its last user message (or of the string). Nothing when instruction and question alone are too
// long.
[[nodiscard]] inline std::optional<std::vector<std::int32_t>> fit_prompt(const PromptText& prompt,
                                                                         std::string_view question,
                                                                         std::size_t budget,
                                                                         const RecordEncoder& encoder) {
  PromptText cut = prompt;
  std::string* body = &cut.text;
  for (text::Message& message : cut.messages) {
    if (message.role == "user") body = &message.content;
  }
  const std::string original = *body;
  const ContextRange context = context_range(original, question);
  std::optional<std::vector<std::int32_t>> best;
  std::size_t low = 0,
              high = context.end - context.begin;  // bytes kept: low is known to fit, or not yet tried
  const auto attempt = [&](std::size_t kept) {
    *body = without_middle(original, context, kept);
    std::vector<std::int32_t> ids = encoder.prompt(cut);
    if (ids.size() > budget) return false;
    best = std::move(ids);
    return true;
  };
  if (attempt(high)) return best;
  if (!attempt(0)) return std::nullopt;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (attempt(middle) ? low : high) = middle;
  }
  return best;
}

}  // namespace solopo
