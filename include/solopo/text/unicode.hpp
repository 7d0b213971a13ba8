// What a code point is, as the regular expressions of tokenizers see it: letter, number, white space.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "solopo/io/utf8.hpp"
#include "solopo/text/unicode_tables.hpp"

namespace solopo::text {

using CharacterClass = std::uint8_t;              // bits below
inline constexpr CharacterClass letter = 1;       // \p{L}
inline constexpr CharacterClass number = 2;       // \p{N}
inline constexpr CharacterClass white_space = 4;  // \s
inline constexpr CharacterClass digit = 8;        // what the pre-tokenizer Digits cuts out

// Whether `point` lies in one of the ranges; the table holds first and last of each, ascending.
[[nodiscard]] inline bool in_ranges(std::span<const char32_t> table, char32_t point) noexcept {
  const auto above = std::upper_bound(table.begin(), table.end(), point);
  const auto before = above - table.begin();  // odd: inside a range, after its first
  return before % 2 == 1 || (before > 0 && *(above - 1) == point);
}

namespace detail {

[[nodiscard]] inline CharacterClass search_class(char32_t point) noexcept {
  CharacterClass out = 0;
  if (in_ranges(unicode_tables::letters, point)) out |= letter;
  if (in_ranges(unicode_tables::numbers, point)) out |= number | digit;
  if (in_ranges(unicode_tables::digits_beyond_numbers, point)) out |= digit;
  if (in_ranges(unicode_tables::white_space, point)) out |= white_space;
  return out;
}

// Planes 0 and 1 spread out, so that a look-up is one load. Built at first use.
class ClassTable {
 public:
  static constexpr char32_t size = 0x20000;
  ClassTable() {
    const auto mark = [this](std::span<const char32_t> table, CharacterClass bits) {
      for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
        for (char32_t c = table[i]; c <= table[i + 1] && c < size; ++c) classes_[c] |= bits;
      }
    };
    mark(unicode_tables::letters, letter);
    mark(unicode_tables::numbers, number | digit);
    mark(unicode_tables::digits_beyond_numbers, digit);
    mark(unicode_tables::white_space, white_space);
  }
  [[nodiscard]] CharacterClass operator[](char32_t point) const noexcept { return classes_[point]; }

 private:
  std::array<CharacterClass, size> classes_{};
};

inline const ClassTable& class_table() {
  static const ClassTable table;
  return table;
}

}  // namespace detail

[[nodiscard]] inline CharacterClass character_class(char32_t point) noexcept {
  return point < detail::ClassTable::size ? detail::class_table()[point] : detail::search_class(point);
}

// \w: what may not stand beside an added token that is `single_word`.
[[nodiscard]] inline bool is_word_character(char32_t point) noexcept {
  return in_ranges(unicode_tables::word_characters, point);
}

// One code point of a valid UTF-8 text and what it is; bytes = 0 past the end.
struct Character {
  char32_t point = 0;
  CharacterClass kind = 0;
  std::uint8_t bytes = 0;

  [[nodiscard]] bool is(CharacterClass any_of) const noexcept { return (kind & any_of) != 0; }
};

[[nodiscard]] inline Character character_at(std::string_view text, std::size_t at) noexcept {
  if (at >= text.size()) return {};
  const io::CodePoint point = io::decode_code_point(text, at);
  return {point.value, character_class(point.value), point.bytes};
}

// The code point that ends before byte `at`; `at` must be at the edge of one.
[[nodiscard]] inline Character character_before(std::string_view text, std::size_t at) noexcept {
  if (at == 0) return {};
  std::size_t start = at - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xc0) == 0x80) --start;
  return character_at(text, start);
}

}  // namespace solopo::text
