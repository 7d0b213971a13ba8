#include "solopo/text/nfc.hpp"

#include "catch.hpp"

using solopo::text::to_nfc;

TEST_CASE("letters and marks compose") {
  CHECK(to_nfc("cafe\u0301") == "caf\u00e9");
  CHECK(to_nfc("\u1ee7") == "\u1ee7");
  CHECK(to_nfc("u\u0309") == "\u1ee7");
  CHECK(to_nfc("a\u0302\u0323") == "\u1ead");  // marks are put in order first
  CHECK(to_nfc("a\u0323\u0302") == "\u1ead");
  CHECK(to_nfc("plain text") == "plain text");
  CHECK(to_nfc("").empty());
}

TEST_CASE("a mark of the same class blocks the next") {
  CHECK(to_nfc("q\u0307\u0323") == "q\u0323\u0307");
  CHECK(to_nfc("a\u0301\u0301") == "\u00e1\u0301");
  CHECK(to_nfc("\u0301a") == "\u0301a");
}

TEST_CASE("singletons and exclusions are decomposed and stay so") {
  CHECK(to_nfc("\u212b") == "\u00c5");  // angstrom sign
  CHECK(to_nfc("\u2126") == "\u03a9");  // ohm sign
  CHECK(to_nfc("\u0958") == "\u0915\u093c");
  CHECK(to_nfc("\ufb01") == "\ufb01");  // compatibility characters are left alone
}

TEST_CASE("Hangul syllables compose by arithmetic") {
  CHECK(to_nfc("\u1100\u1161") == "\uac00");
  CHECK(to_nfc("\u1100\u1161\u11a8") == "\uac01");
  CHECK(to_nfc("\uac00\u11a8") == "\uac01");
  CHECK(to_nfc("\uac01\u11a8") == "\uac01\u11a8");
  CHECK(to_nfc("\u1100\u11a8") == "\u1100\u11a8");
}

TEST_CASE("form C of form C is itself, for every code point") {
  bool stable = true;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text = "a";
    solopo::io::append_utf8(text, c);
    text += "\u0301";
    const std::string once = to_nfc(text);
    stable &= to_nfc(once) == once;
  }
  CHECK(stable);
}
