// An encoder whose tokens are bytes, so that a test can read ids as text; end of turn is 256. A pair "ab"
// within one text is one token, 300: the one merge there is.
#pragma once

#include "solopo/train/record_encoder.hpp"

namespace solopo::test {

inline RecordEncoder byte_encoder() {
  const auto encode = [](std::string_view text) {
    std::vector<std::int32_t> ids;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool pair = text.substr(i).starts_with("ab");
      ids.push_back(pair ? 300 : static_cast<unsigned char>(text[i]));
      i += pair;
    }
    return ids;
  };
  const auto render = [](std::span<const text::Message> messages) {
    std::string out;
    for (const text::Message& message : messages) out += "<" + message.role + ">" + message.content;
    return out + "<assistant>";
  };
  return {.encode_text = encode,
          .encode_chat = [=](std::span<const text::Message> messages) { return encode(render(messages)); },
          .render_chat = render,
          .end_of_turn = 256};
}

}  // namespace solopo::test
