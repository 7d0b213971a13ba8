#include "answer_match.hpp"

#include "solopo/io/utf8.hpp"

namespace solopo::cli {
namespace {

constexpr bool within(char32_t code, char32_t first, char32_t last) { return first <= code && code <= last; }

// Where capital and small letters alternate: capitals at even code points, or at odd ones.
constexpr bool capital_is_even(char32_t c) {
  return within(c, 0x100, 0x12f) || within(c, 0x132, 0x137) || within(c, 0x14a, 0x177) ||
         within(c, 0x460, 0x481) || within(c, 0x48a, 0x4bf) || within(c, 0x4d0, 0x52f) ||
         within(c, 0x1e00, 0x1e95) || within(c, 0x1ea0, 0x1eff);
}
constexpr bool capital_is_odd(char32_t c) {
  return within(c, 0x139, 0x148) || within(c, 0x179, 0x17e) || within(c, 0x4c1, 0x4ce);
}

constexpr char32_t lower(char32_t c) {
  if (within(c, 'A', 'Z')) return c + 32;
  if (c < 0xc0) return c;
  if (within(c, 0xc0, 0xde) && c != 0xd7) return c + 32;
  if (c == 0x178) return 0xff;
  if (c == 0x130) return 'i';
  if (capital_is_even(c)) return c | 1;
  if (capital_is_odd(c)) return (c & 1) != 0 ? c + 1 : c;
  if (within(c, 0x391, 0x3ab) && c != 0x3a2) return c + 32;
  if (c == 0x386) return 0x3ac;
  if (within(c, 0x388, 0x38a)) return c + 37;
  if (c == 0x38c) return 0x3cc;
  if (c == 0x38e || c == 0x38f) return c + 63;
  if (within(c, 0x410, 0x42f)) return c + 32;
  if (within(c, 0x400, 0x40f)) return c + 80;
  return c;
}

constexpr bool is_punctuation(char32_t c) {
  return within(c, 0x21, 0x2f) || within(c, 0x3a, 0x40) || within(c, 0x5b, 0x60) || within(c, 0x7b, 0x7e) ||
         c == 0xab || c == 0xbb || within(c, 0x2010, 0x2027) || within(c, 0x2030, 0x205e);
}

constexpr bool is_blank(char32_t c) {
  return c == ' ' || within(c, 9, 13) || c == 0x85 || c == 0xa0 || c == 0x1680 || within(c, 0x2000, 0x200a) ||
         c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

}  // namespace

std::string normalise_answer(std::string_view utf8) {
  std::string out, word;
  const auto end_word = [&] {
    if (!word.empty() && word != "a" && word != "an" && word != "the") {
      if (!out.empty()) out += ' ';
      out += word;
    }
    word.clear();
  };
  for (std::size_t at = 0; at < utf8.size();) {
    const io::CodePoint point = io::decode_code_point(utf8, at);
    const char32_t code = point.value;
    at += point.bytes;
    if (is_blank(code)) {
      end_word();
    } else if (!is_punctuation(code)) {
      io::append_utf8(word, lower(code));
    }
  }
  end_word();
  return out;
}

bool contains_words(std::string_view haystack, std::string_view needle) {
  if (needle.empty()) return false;
  for (std::size_t at = haystack.find(needle); at != std::string_view::npos;
       at = haystack.find(needle, at + 1)) {
    const std::size_t end = at + needle.size();
    if ((at == 0 || haystack[at - 1] == ' ') && (end == haystack.size() || haystack[end] == ' ')) return true;
  }
  return false;
}

bool contains_answer(std::string_view text, std::span<const std::string> answers) {
  const std::string normalised = normalise_answer(text);
  for (const std::string& answer : answers) {
    if (contains_words(normalised, normalise_answer(answer))) return true;
  }
  return false;
}

bool is_yes_no(std::span<const std::string> answers) {
  for (const std::string& answer : answers) {
    const std::string normalised = normalise_answer(answer);
    if (normalised == "yes" || normalised == "no") return true;
  }
  return false;
}

}  // namespace solopo::cli
