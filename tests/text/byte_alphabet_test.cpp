#include "solopo/text/byte_alphabet.hpp"

#include <set>
#include <string>

#include "catch.hpp"

using namespace solopo::text;

TEST_CASE("every byte has its own character, and back") {
  std::set<std::string> characters;
  for (int b = 0; b < 256; ++b) {
    const std::string byte(1, static_cast<char>(b));
    const std::string written = to_byte_alphabet(byte);
    characters.insert(written);
    CHECK(from_byte_alphabet(written) == byte);
  }
  CHECK(characters.size() == 256);
}

TEST_CASE("the alphabet is that of GPT-2") {
  CHECK(to_byte_alphabet(" the\n") == "\u0120the\u010a");
  CHECK(to_byte_alphabet("\u00e9") == "\u00c3\u00a9");
  CHECK(to_byte_alphabet(std::string_view("\0\x7f\xad\xff", 4)) == "\u0100\u0121\u0143\u00ff");
}

TEST_CASE("characters outside the alphabet stand for no byte") {
  CHECK_FALSE(from_byte_alphabet("a b"));
  CHECK_FALSE(from_byte_alphabet("\u0144"));
  CHECK_FALSE(from_byte_alphabet("\u4e2d"));
  CHECK_FALSE(from_byte_alphabet("\xff"));
}
