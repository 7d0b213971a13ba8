#include "solopo/core/error.hpp"

#include "catch.hpp"

using namespace solopo;

TEST_CASE("An argument error names argument, index and reason") {
  const ArgumentError e("chosen.length", 3, "an empty response");
  CHECK(e.what() == std::string("chosen.length[3]: an empty response"));
  CHECK(e.argument() == "chosen.length");
  CHECK(e.index() == 3);
}

TEST_CASE("A file error names file, position, field, reason and code") {
  const DataError e("duplicate", {.file = "a.jsonl", .line = 12, .field = "id"}, "seen before");
  CHECK(e.what() == std::string("a.jsonl:12, 'id': seen before [duplicate]"));
  CHECK(e.code() == "duplicate");
  const ModelError m("overflow", {.file = "w.gguf", .offset = 40, .has_offset = true, .field = {}},
                     "too large");
  CHECK(m.what() == std::string("w.gguf, byte 40: too large [overflow]"));
}

TEST_CASE("Text from a file is printed without control bytes and cut") {
  CHECK(printable("a\x1b[31m\n") == "a\\x1b[31m\\x0a");
  CHECK(printable(std::string(200, 'x')) == std::string(120, 'x') + "...");
  CHECK(printable("h\xc3\xa9") == "h\xc3\xa9");
}

TEST_CASE("Controls of more than one byte and bytes that are no characters are escaped") {
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\xc2\\x9b31m");                                  // C1: the one-character ESC [
  CHECK(printable("\xc2\xa0") == "\xc2\xa0");                                  // the first after C1
  CHECK(printable("\xe2\x80\xae") == "\\xe2\\x80\\xae");                       // U+202E: from right to left
  CHECK(printable("\xe2\x81\xa6") == "\\xe2\\x81\\xa6");                       // U+2066
  CHECK(printable("\xe2\x80\x8f") == "\\xe2\\x80\\x8f");                       // U+200F
  CHECK(printable("\xe2\x80\x93\xe2\x81\xa5") == "\xe2\x80\x93\xe2\x81\xa5");  // beside them
  CHECK(printable("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
  for (const std::string bad :
       {"\x9b", "\xc0\x9b", "\xe0\x80\x9b", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xe2\x82"}) {
    const std::string out = printable("a" + bad);
    CAPTURE(out);
    CHECK(out.size() == 1 + 4 * bad.size());
    CHECK(out.starts_with("a\\x"));
  }
}

TEST_CASE("Text is cut between characters") {
  std::string text = "x";
  for (int i = 0; i < 100; ++i) text += "\xe6\x97\xa5";
  CHECK(printable(text) == text.substr(0, 1 + 40 * 3) + "...");
  CHECK(printable(text.substr(1)) == text.substr(1, 40 * 3) + "...");
}
