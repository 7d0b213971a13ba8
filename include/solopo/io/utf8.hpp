// UTF-8 (RFC 3629): reading code points, finding the first bad byte, replacing what is bad.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace solopo::io {

// One code point at the start of a text. `valid` is false for a lone continuation, an overlong form, a
// surrogate, anything above U+10FFFF or a cut sequence; `bytes` is then how many bytes one replacement
// character stands for (the longest prefix that could have begun a sequence, as Unicode recommends).
struct CodePoint {
  char32_t value = 0;
  std::uint8_t bytes = 0;
  bool valid = false;
};

// Reads the code point at `text[at]`; `at` must be inside the text.
[[nodiscard]] inline CodePoint decode_code_point(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return {first, 1, true};
  std::uint8_t length = 0;
  unsigned low = 0x80, high = 0xbf;  // range of the second byte: narrower for some first bytes
  char32_t value = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    value = first & 0x1f;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    value = first & 0x0f;
    if (first == 0xe0) low = 0xa0;   // shorter forms exist
    if (first == 0xed) high = 0x9f;  // surrogates
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    value = first & 0x07;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;  // above U+10FFFF
  } else {
    return {0xfffd, 1, false};
  }
  for (std::uint8_t i = 1; i < length; ++i) {
    if (at + i >= text.size() || byte(at + i) < low || byte(at + i) > high) return {0xfffd, i, false};
    value = (value << 6) | (byte(at + i) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {value, length, true};
}

// Byte offset of the first byte that is not UTF-8, or nothing.
[[nodiscard]] inline std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint64_t eight;  // text is mostly ASCII: eight bytes at a time
    while (i + sizeof eight <= text.size()) {
      std::memcpy(&eight, text.data() + i, sizeof eight);
      if (eight & 0x8080808080808080u) break;
      i += sizeof eight;
    }
    if (i == text.size()) break;
    const CodePoint point = decode_code_point(text, i);
    if (!point.valid) return i;
    i += point.bytes;
  }
  return std::nullopt;
}

// Appends the UTF-8 form of a code point; surrogates and values above U+10FFFF become U+FFFD.
inline void append_utf8(std::string& out, char32_t point) {
  if ((point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff) point = 0xfffd;
  const auto push = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xc0 | (point >> 6));
    push(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    push(0xe0 | (point >> 12));
    push(0x80 | ((point >> 6) & 0x3f));
    push(0x80 | (point & 0x3f));
  } else {
    push(0xf0 | (point >> 18));
    push(0x80 | ((point >> 12) & 0x3f));
    push(0x80 | ((point >> 6) & 0x3f));
    push(0x80 | (point & 0x3f));
  }
}

struct ReplacedText {
  std::string text;          // valid UTF-8
  std::size_t replaced = 0;  // how many U+FFFD were put in
};

// Every bad sequence becomes one U+FFFD.
[[nodiscard]] inline ReplacedText replace_invalid_utf8(std::string_view text) {
  ReplacedText out;
  out.text.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_code_point(text, i);
    if (point.valid) {
      out.text.append(text.substr(i, point.bytes));
    } else {
      append_utf8(out.text, 0xfffd);
      ++out.replaced;
    }
    i += point.bytes;
  }
  return out;
}

}  // namespace solopo::io
