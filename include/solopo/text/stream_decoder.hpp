// Text from bytes that arrive in pieces: what could still become a character is held back until it does.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "solopo/io/utf8.hpp"

namespace solopo::text {

class Utf8Stream {
 public:
  // The text that is certain after these bytes. Bytes that can no longer become a character are U+FFFD.
  [[nodiscard]] std::string push(std::string_view bytes) {
    held_.append(bytes);
    std::size_t certain = 0;
    while (certain < held_.size()) {
      const io::CodePoint point = io::decode_code_point(held_, certain);
      if (!point.valid && certain + point.bytes == held_.size() && may_continue(certain)) break;
      certain += point.bytes;
    }
    std::string out = io::replace_invalid_utf8(std::string_view(held_).substr(0, certain)).text;
    held_.erase(0, certain);
    return out;
  }

  // Nothing more comes: what is held back is one U+FFFD.
  [[nodiscard]] std::string finish() {
    std::string out = io::replace_invalid_utf8(held_).text;
    held_.clear();
    return out;
  }

 private:
  // Whether the bytes from `at` to the end begin a character: its first byte says so.
  [[nodiscard]] bool may_continue(std::size_t at) const noexcept {
    const auto first = static_cast<unsigned char>(held_[at]);
    return first >= 0xc2 && first <= 0xf4;
  }

  std::string held_;
};

}  // namespace solopo::text
