#include "solopo/io/utf8.hpp"

#include <string>

#include "catch.hpp"

using namespace solopo::io;

TEST_CASE("Every code point but the surrogates survives encoding and decoding") {
  std::size_t wrong = 0;
  for (char32_t point = 0; point <= 0x10ffff; ++point) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    std::string text;
    append_utf8(text, point);
    const CodePoint read = decode_code_point(text, 0);
    wrong += !(read.valid && read.value == point && read.bytes == text.size());
  }
  CHECK(wrong == 0);
}

TEST_CASE("DP2: bad UTF-8 is found at its first byte") {
  CHECK_FALSE(find_invalid_utf8("plain, caf\xc3\xa9, \xe4\xb8\xad, \xf0\x9f\x98\x80"));
  const std::string before(13, 'x');
  CHECK(find_invalid_utf8(before + "\x80") == 13u);              // lone continuation
  CHECK(find_invalid_utf8(before + "\xc0\xaf") == 13u);          // overlong, two bytes
  CHECK(find_invalid_utf8(before + "\xe0\x9f\xbf") == 13u);      // overlong, three
  CHECK(find_invalid_utf8(before + "\xf0\x8f\xbf\xbf") == 13u);  // overlong, four
  CHECK(find_invalid_utf8(before + "\xed\xa0\x80") == 13u);      // surrogate
  CHECK(find_invalid_utf8(before + "\xf4\x90\x80\x80") == 13u);  // above U+10FFFF
  CHECK(find_invalid_utf8(before + "\xff") == 13u);
  CHECK(find_invalid_utf8("\xc3\xa9\xe4\xb8") == 2u);  // cut
}

TEST_CASE("Each bad sequence becomes one replacement character, and is counted") {
  const std::string fffd = "\xef\xbf\xbd";
  CHECK(replace_invalid_utf8("a\x80z").text == "a" + fffd + "z");
  const ReplacedText cut = replace_invalid_utf8("\xe4\xb8z\xf0\x9f\x98");
  CHECK(cut.text == fffd + "z" + fffd);
  CHECK(cut.replaced == 2);
  const ReplacedText surrogate = replace_invalid_utf8("\xed\xa0\x80");
  CHECK(surrogate.replaced == 3);  // no prefix of a surrogate could have begun a sequence
  CHECK_FALSE(find_invalid_utf8(surrogate.text));
  CHECK(replace_invalid_utf8("caf\xc3\xa9").text == "caf\xc3\xa9");
}
