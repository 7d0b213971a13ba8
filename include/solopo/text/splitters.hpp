// Pre-tokenization: a text is cut into pieces, and byte pairs are merged inside a piece only. The patterns
// models were trained with are regular expressions over Unicode classes with look-ahead, which no regex
// engine of the standard library offers; each known one is matched here by hand. An unknown one is refused,
// by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "solopo/text/unicode.hpp"

namespace solopo::text {

enum class Pattern : std::uint8_t {
  whole,   // no cut
  gpt2,    // contractions, letters, numbers, the rest, each with one blank before it
  llama3,  // contractions in any case, letters, up to three digits, the rest with line ends
  qwen2,   // the same with single digits
};

namespace pattern_source {
inline constexpr std::string_view gpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}  // namespace pattern_source

// The pattern with exactly this source text, or nothing.
[[nodiscard]] inline std::optional<Pattern> find_pattern(std::string_view regex) noexcept {
  if (regex == pattern_source::gpt2) return Pattern::gpt2;
  if (regex == pattern_source::llama3) return Pattern::llama3;
  if (regex == pattern_source::qwen2) return Pattern::qwen2;
  return std::nullopt;
}

namespace detail {

// End of the longest run from `at` of characters with `wanted` (or, inverted, without any of them).
[[nodiscard]] inline std::size_t run_end(std::string_view text, std::size_t at, CharacterClass classes,
                                         bool inverted = false) noexcept {
  for (;;) {
    const Character c = character_at(text, at);
    if (c.bytes == 0 || c.is(classes) == inverted) return at;
    at += c.bytes;
  }
}

// Bytes of 's 't 're 've 'm 'll 'd at `at`, where an apostrophe stands; 0: none of them.
[[nodiscard]] inline std::size_t contraction_bytes(std::string_view text, std::size_t at,
                                                   bool any_case) noexcept {
  const auto ascii = [&](std::size_t i) -> char {
    if (i >= text.size()) return '\0';
    const char c = text[i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  const char first = ascii(at + 1), second = ascii(at + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (second == 'e' && (first == 'r' || first == 'v')) return 3;
  if (first == 'l' && second == 'l') return 3;
  // U+017F, the long s, folds to s.
  if (any_case && text.substr(at + 1).starts_with("\xc5\xbf")) return 3;
  return 0;
}

// End of `\s+(?!\S)|\s+` where white space stands: the last blank before a word is left to the word.
[[nodiscard]] inline std::size_t blank_run_end(std::string_view text, std::size_t at) noexcept {
  const std::size_t end = run_end(text, at, white_space);
  if (end == text.size()) return end;
  const std::size_t but_last = end - character_before(text, end).bytes;
  return but_last > at ? but_last : end;
}

[[nodiscard]] inline std::size_t gpt2_piece_end(std::string_view text, std::size_t at) noexcept {
  if (text[at] == '\'') {
    if (const std::size_t bytes = contraction_bytes(text, at, false)) return at + bytes;
  }
  const std::size_t begin = at + (text[at] == ' ');
  const Character c = character_at(text, begin);
  if (c.bytes == 0 || c.is(white_space)) return blank_run_end(text, at);
  if (c.is(letter)) return run_end(text, begin + c.bytes, letter);
  if (c.is(number)) return run_end(text, begin + c.bytes, number);
  return run_end(text, begin + c.bytes, letter | number | white_space, true);
}

[[nodiscard]] inline bool is_line_end(char32_t point) noexcept { return point == '\r' || point == '\n'; }

[[nodiscard]] inline std::size_t llama3_piece_end(std::string_view text, std::size_t at,
                                                  int most_digits) noexcept {
  if (text[at] == '\'') {
    if (const std::size_t bytes = contraction_bytes(text, at, true)) return at + bytes;
  }
  const Character c = character_at(text, at);
  if (c.is(letter)) return run_end(text, at + c.bytes, letter);
  if (c.is(number)) {
    std::size_t end = at + c.bytes;
    for (int n = 1; n < most_digits; ++n) {
      const Character next = character_at(text, end);
      if (!next.is(number)) break;
      end += next.bytes;
    }
    return end;
  }
  const Character next = character_at(text, at + c.bytes);
  if (!is_line_end(c.point) && next.is(letter)) return run_end(text, at + c.bytes, letter);
  const Character symbol = c.point == ' ' ? next : c;
  if (symbol.bytes > 0 && !symbol.is(letter | number | white_space)) {
    std::size_t end = run_end(text, at + (c.point == ' '), letter | number | white_space, true);
    while (end < text.size() && is_line_end(static_cast<unsigned char>(text[end]))) ++end;
    return end;
  }
  // White space: up to its last line end if it has one.
  const std::size_t blanks = run_end(text, at, white_space);
  for (std::size_t end = blanks; end > at; --end) {
    if (is_line_end(static_cast<unsigned char>(text[end - 1]))) return end;
  }
  return blank_run_end(text, at);
}

}  // namespace detail

// End of the piece of `text` that begins at byte `at` (inside the text, valid UTF-8). Always past `at`.
[[nodiscard]] inline std::size_t piece_end(Pattern pattern, std::string_view text, std::size_t at) noexcept {
  switch (pattern) {
    case Pattern::gpt2:
      return detail::gpt2_piece_end(text, at);
    case Pattern::llama3:
      return detail::llama3_piece_end(text, at, 3);
    case Pattern::qwen2:
      return detail::llama3_piece_end(text, at, 1);
    case Pattern::whole:
      break;
  }
  return text.size();
}

// The steps before byte pairs are merged, in this order.
struct PreTokenizer {
  enum class Digits : std::uint8_t { together, runs, single };

  Digits digits =
      Digits::together;  // numbers cut out before the pattern looks: as runs, or one by one (SmolLM)
  Pattern pattern = Pattern::gpt2;

  friend bool operator==(const PreTokenizer&, const PreTokenizer&) = default;
};

// Calls f(piece) for each piece of `text`, valid UTF-8, in order; together they are the text.
template <class F>
void for_each_piece(const PreTokenizer& pre, std::string_view text, F&& f) {
  const auto cut = [&](std::string_view part) {
    for (std::size_t at = 0; at < part.size();) {
      const std::size_t end = piece_end(pre.pattern, part, at);
      f(part.substr(at, end - at));
      at = end;
    }
  };
  if (pre.digits == PreTokenizer::Digits::together) return cut(text);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t before = detail::run_end(text, at, digit, true);
    cut(text.substr(at, before - at));
    const std::size_t after = pre.digits == PreTokenizer::Digits::runs
                                  ? detail::run_end(text, before, digit)
                                  : before + (before < text.size() ? character_at(text, before).bytes : 0u);
    cut(text.substr(before, after - before));
    at = after;
  }
}

}  // namespace solopo::text
