// Text of a preference record to token ids: prompt and response are always encoded apart, so that all
// responses of a prompt share its ids, and every finished response ends with the model's end-of-turn token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/text/chat_template.hpp"
#include "solopo/text/tokenizer.hpp"

namespace solopo {

// A prompt as a file gives it: a string, encoded as it is, or messages, put through the chat template.
struct PromptText {
  std::string text;
  std::vector<text::Message> messages;  // not empty: these are the prompt

  [[nodiscard]] bool is_chat() const noexcept { return !messages.empty(); }
};

struct RecordEncoder {
  std::function<std::vector<std::int32_t>(std::string_view)> encode_text;  // markers in it stay plain text
  std::function<std::vector<std::int32_t>(std::span<const text::Message>)>
      encode_chat;  // ready for an answer
  std::function<std::string(std::span<const text::Message>)> render_chat;
  std::int32_t end_of_turn = 0;

  [[nodiscard]] std::vector<std::int32_t> prompt(const PromptText& prompt) const {
    return prompt.is_chat() ? encode_chat(prompt.messages) : encode_text(prompt.text);
  }

  // `finished`: false for a response that was cut while it was sampled; the model never ended it there.
  [[nodiscard]] std::vector<std::int32_t> response(std::string_view text, bool finished = true) const {
    std::vector<std::int32_t> ids = encode_text(text);
    if (finished) ids.push_back(end_of_turn);
    return ids;
  }

  // Whether prompt and response encoded as one text give other ids than encoded apart. Only the last word of
  // the prompt (at most 64 bytes) is joined with the response: no merge reaches further back.
  [[nodiscard]] bool merges_across_edge(const PromptText& prompt, std::string_view response) const {
    const std::string whole = prompt.is_chat() ? render_chat(prompt.messages) : prompt.text;
    std::size_t begin = whole.size() > 64 ? whole.size() - 64 : 0;
    const std::size_t space = whole.find_last_not_of(" \t\n\r");
    const std::size_t word = space == std::string::npos ? 0 : whole.find_last_of(" \t\n\r", space);
    if (word != std::string::npos && word > begin) begin = word;
    while (begin < whole.size() && (static_cast<unsigned char>(whole[begin]) & 0xc0) == 0x80) ++begin;
    const std::string tail = whole.substr(begin);
    std::vector<std::int32_t> apart = encode_text(tail);
    const std::vector<std::int32_t> ids = encode_text(response);
    apart.insert(apart.end(), ids.begin(), ids.end());
    return encode_text(tail + std::string(response)) != apart;
  }
};

// Keeps references to both.
[[nodiscard]] inline RecordEncoder record_encoder(const text::Tokenizer& tokenizer,
                                                  const text::ChatTemplate& chat) {
  return {.encode_text = [&tokenizer](std::string_view text) { return tokenizer.encode(text); },
          .encode_chat =
              [&tokenizer, &chat](std::span<const text::Message> messages) {
                return text::encode_chat(tokenizer, chat, messages, true);
              },
          .render_chat =
              [&chat](std::span<const text::Message> messages) {
                return text::render_chat(chat, messages, true);
              },
          .end_of_turn = text::end_of_turn(tokenizer, chat)};
}

}  // namespace solopo
