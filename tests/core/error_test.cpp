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
