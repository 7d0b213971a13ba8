// The alphabet of byte-level vocabularies: each of the 256 bytes is written as one printable character, so
// that a vocabulary is plain text. Printable Latin-1 stands for itself, the others for U+0100 and up, in
// order.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "solopo/io/utf8.hpp"

namespace solopo::text {

namespace detail {

struct ByteAlphabet {
  std::array<char32_t, 256> character{};  // of each byte
  std::array<int, 0x100 + 68> byte{};     // of each character, -1: none
};

[[nodiscard]] constexpr ByteAlphabet make_byte_alphabet() noexcept {
  ByteAlphabet out;
  out.byte.fill(-1);
  char32_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    const char32_t c = printable ? b : next++;
    out.character[b] = c;
    out.byte[c] = static_cast<int>(b);
  }
  return out;
}

inline constexpr ByteAlphabet byte_alphabet = make_byte_alphabet();

}  // namespace detail

// Bytes as the vocabulary writes them.
[[nodiscard]] inline std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (const char b : bytes) {
    io::append_utf8(out, detail::byte_alphabet.character[static_cast<unsigned char>(b)]);
  }
  return out;
}

// The bytes a vocabulary entry stands for; nothing when a character is not of the alphabet.
[[nodiscard]] inline std::optional<std::string> from_byte_alphabet(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size();) {
    const io::CodePoint c = io::decode_code_point(token, i);
    if (!c.valid || c.value >= detail::byte_alphabet.byte.size()) return std::nullopt;
    const int byte = detail::byte_alphabet.byte[c.value];
    if (byte < 0) return std::nullopt;
    out += static_cast<char>(static_cast<unsigned char>(byte));
    i += c.bytes;
  }
  return out;
}

}  // namespace solopo::text
