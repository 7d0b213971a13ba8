#include "solopo/text/unicode.hpp"

#include "catch.hpp"

using namespace solopo::text;

TEST_CASE("letters, numbers and blanks are those of Unicode 16") {
  int letters = 0, numbers = 0, digits = 0, blanks = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const CharacterClass kind = character_class(c);
    letters += (kind & letter) != 0;
    numbers += (kind & number) != 0;
    digits += (kind & digit) != 0;
    blanks += (kind & white_space) != 0;
  }
  CHECK(letters == 141028);
  CHECK(numbers == 1911);
  CHECK(digits == 1924);  // Rust's char::is_numeric is one Unicode version ahead of the regex engine
  CHECK(blanks == 25);
}

TEST_CASE("the table of planes 0 and 1 agrees with the ranges") {
  bool equal = true;
  for (char32_t c = 0; c < detail::ClassTable::size; ++c)
    equal &= character_class(c) == detail::search_class(c);
  CHECK(equal);
}

TEST_CASE("white space has U+0085 and not U+FEFF") {
  CHECK((character_class(0x85) & white_space) != 0);
  CHECK(character_class(0xfeff) == 0);
  CHECK((character_class(0x3000) & white_space) != 0);
  CHECK((character_class(0x200b) & white_space) == 0);
}

TEST_CASE("word characters are letters, marks, digits and connectors") {
  for (const char32_t c : {U'a', U'Z', U'0', U'_', U'\u00e9', U'\u0301', U'\u4e2d', U'\u200d'})
    CHECK(is_word_character(c));
  for (const char32_t c : {U' ', U'-', U'<', U'\u00b2', U'\u2013'}) CHECK_FALSE(is_word_character(c));
}

TEST_CASE("a text can be read from both ends") {
  const std::string_view text = "a\xc3\xa9\xf0\x9f\x98\x80";
  CHECK(character_at(text, 0).point == U'a');
  CHECK(character_at(text, 1).point == U'\u00e9');
  CHECK(character_at(text, text.size()).bytes == 0);
  CHECK(character_before(text, text.size()).point == U'\U0001f600');
  CHECK(character_before(text, text.size()).bytes == 4);
  CHECK(character_before(text, 0).bytes == 0);
}
