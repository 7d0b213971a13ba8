// Unicode normalisation form C (UAX #15): canonical decomposition, marks in canonical order, composition.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/utf8.hpp"
#include "solopo/text/unicode_tables.hpp"

namespace solopo::text {

namespace detail {

struct Hangul {  // syllables compose by arithmetic, The Unicode Standard 3.12
  static constexpr char32_t syllable = 0xac00, lead = 0x1100, vowel = 0x1161, trail = 0x11a7;
  static constexpr char32_t leads = 19, vowels = 21, trails = 28, syllables = leads * vowels * trails;
};

// Row of a table of `width` columns, ascending by its first column, that begins with `point`; nullptr: none.
[[nodiscard]] inline const char32_t* find_row(std::span<const char32_t> table, std::size_t width,
                                              char32_t point) noexcept {
  std::size_t low = 0, high = table.size() / width;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (table[middle * width] < point) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool found = low * width < table.size() && table[low * width] == point;
  return found ? &table[low * width] : nullptr;
}

[[nodiscard]] inline std::uint8_t combining_class(char32_t point) noexcept {
  if (point < 0x300) return 0;
  const std::span<const char32_t> table = unicode_tables::combining_classes;
  std::size_t low = 0, high = table.size() / 3;  // the last range that begins at or before the point
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (table[middle * 3] <= point) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0 || point > table[(low - 1) * 3 + 1]) return 0;
  return static_cast<std::uint8_t>(table[(low - 1) * 3 + 2]);
}

// Appends the full canonical decomposition.
inline void decompose(char32_t point, std::u32string& out) {
  if (point < 0xc0) {
    out += point;
  } else if (point >= Hangul::syllable && point < Hangul::syllable + Hangul::syllables) {
    const char32_t s = point - Hangul::syllable;
    out += Hangul::lead + s / (Hangul::vowels * Hangul::trails);
    out += Hangul::vowel + s / Hangul::trails % Hangul::vowels;
    if (s % Hangul::trails != 0) out += Hangul::trail + s % Hangul::trails;
  } else if (const char32_t* one = find_row(unicode_tables::decompositions_to_one, 2, point)) {
    decompose(one[1], out);
  } else if (const char32_t* two = find_row(unicode_tables::decompositions_to_two, 3, point)) {
    decompose(two[1], out);
    decompose(two[2], out);
  } else if (const char32_t* excluded = find_row(unicode_tables::decompositions_excluded, 3, point)) {
    decompose(excluded[1], out);
    decompose(excluded[2], out);
  } else {
    out += point;
  }
}

// The code point two others compose to, 0: they do not.
[[nodiscard]] inline char32_t compose(char32_t first, char32_t second) {
  if (first - Hangul::lead < Hangul::leads && second - Hangul::vowel < Hangul::vowels) {
    return Hangul::syllable +
           ((first - Hangul::lead) * Hangul::vowels + (second - Hangul::vowel)) * Hangul::trails;
  }
  if (first - Hangul::syllable < Hangul::syllables && (first - Hangul::syllable) % Hangul::trails == 0 &&
      second > Hangul::trail && second < Hangul::trail + Hangul::trails) {
    return first + (second - Hangul::trail);
  }
  struct Composition {
    char32_t first, second, whole;
  };
  static const std::vector<Composition> compositions = [] {
    std::vector<Composition> out;
    const std::span<const char32_t> table = unicode_tables::decompositions_to_two;
    for (std::size_t i = 0; i < table.size(); i += 3) out.push_back({table[i + 1], table[i + 2], table[i]});
    std::sort(out.begin(), out.end(), [](const Composition& a, const Composition& b) {
      return a.first != b.first ? a.first < b.first : a.second < b.second;
    });
    return out;
  }();
  const auto at = std::lower_bound(compositions.begin(), compositions.end(), Composition{first, second, 0},
                                   [](const Composition& a, const Composition& b) {
                                     return a.first != b.first ? a.first < b.first : a.second < b.second;
                                   });
  return at != compositions.end() && at->first == first && at->second == second ? at->whole : 0;
}

}  // namespace detail

// The text in form C. `utf8` must be valid UTF-8. Linear in the text but for runs of marks, which are sorted.
[[nodiscard]] inline std::string to_nfc(std::string_view utf8) {
  // Below U+0300 everything is in form C already: the lead bytes of those are under 0xcc.
  const bool composed =
      std::all_of(utf8.begin(), utf8.end(), [](char c) { return static_cast<unsigned char>(c) < 0xcc; });
  if (composed) return std::string(utf8);

  std::u32string points;
  points.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const io::CodePoint point = io::decode_code_point(utf8, i);
    detail::decompose(point.value, points);
    i += point.bytes;
  }

  std::vector<std::uint8_t> classes(points.size());
  std::transform(points.begin(), points.end(), classes.begin(), detail::combining_class);
  std::vector<std::pair<std::uint8_t, char32_t>> marks;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (classes[i] == 0) continue;
    marks.clear();
    std::size_t end = i;
    for (; end < points.size() && classes[end] != 0; ++end) marks.emplace_back(classes[end], points[end]);
    std::stable_sort(marks.begin(), marks.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t k = 0; k < marks.size(); ++k) {
      classes[i + k] = marks[k].first;
      points[i + k] = marks[k].second;
    }
    i = end - 1;
  }

  std::u32string whole;
  std::size_t starter = std::u32string::npos;  // the last code point of class 0 in `whole`
  std::uint8_t last = 0;                       // class of what was appended after it last
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool reachable =
        starter != std::u32string::npos && (starter + 1 == whole.size() || last < classes[i]);
    const char32_t joined = reachable ? detail::compose(whole[starter], points[i]) : 0;
    if (joined != 0) {
      whole[starter] = joined;
      continue;
    }
    if (classes[i] == 0) starter = whole.size();
    last = classes[i];
    whole += points[i];
  }

  std::string out;
  out.reserve(utf8.size());
  for (const char32_t point : whole) io::append_utf8(out, point);
  return out;
}

}  // namespace solopo::text
