#include "solopo/io/json.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "catch.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;

namespace {

FileError error_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    static_cast<void>(parse_json(text, "f.json", FileRole::data, limits));
  } catch (const FileError& error) {
    return error;
  }
  return {"none", {}, "parsed"};
}

}  // namespace

TEST_CASE("parse_json builds what nlohmann-json builds") {
  const std::string text =
      R"( {"a":[1,-2,3.5,true,false,null,"x",[],{}],"b":{"c":{"d":[[1],[2,[3]]]}},"e":"\u00e9\n","f":18446744073709551615} )";
  CHECK(parse_json(text, "f", FileRole::data) == Json::parse(text));
  CHECK(parse_json("7", "f", FileRole::data) == 7);
  CHECK(parse_json("[[],[[]],{\"a\":{}}]", "f", FileRole::data).dump() == "[[],[[]],{\"a\":{}}]");
}

TEST_CASE("Integers and floats stay apart") {
  const Json numbers = parse_json("[3,-3,3.0,3e0,18446744073709551616]", "f", FileRole::data);
  CHECK(numbers[0].is_number_unsigned());
  CHECK((numbers[1].is_number_integer() && !numbers[1].is_number_unsigned()));
  CHECK(numbers[2].is_number_float());
  CHECK(numbers[3].is_number_float());
  CHECK(numbers[4].is_number_float());
}

TEST_CASE("A key that comes twice in one object is an error at its place, at any depth") {
  CHECK(error_of(R"({"a":1,"a":1})").code() == "duplicate");
  const FileError nested = error_of(R"({"a":{"b":[{"c":1,"c":2}]}})");
  CHECK(nested.code() == "duplicate");
  CHECK(nested.where().field == "c");
  CHECK(nested.where().offset == 21);  // just past the second "c"
  CHECK(error_of(R"({"a":{"b":1},"b":{"a":1}})").code() == "none");
  CHECK(error_of(R"({"a":1,"\u0061":2})").code() == "duplicate");
}

TEST_CASE("Errors name the byte") {
  CHECK(error_of("{\"a\": tru}").where().offset == 9);
  CHECK(error_of("[1,").where().offset == 3);
  CHECK(error_of("{}x").where().offset == 2);
  CHECK(error_of("").code() == "json");
  CHECK(error_of("{} x").code() == "json");
  CHECK(error_of("{\"a\":1").code() == "json");
  const FileError utf8 = error_of("{\"a\":\"\xc0\xaf\"}");
  CHECK(utf8.code() == "utf8");
  CHECK(utf8.where().offset == 6);
  try {
    static_cast<void>(parse_json("[1,]", {.file = "f", .role = FileRole::model, .line = 7, .offset = 100}));
    FAIL("parsed");
  } catch (const ModelError& error) {
    CHECK(error.where().line == 7);
    CHECK(error.where().offset == 103);
  }
}

TEST_CASE("What the parser alone would let through is refused") {
  CHECK(error_of(std::string("{}\0junk", 7)).code() == "json");  // it takes NUL for the end
  CHECK(error_of("\xef\xbb\xbf{}").code() == "json");
  CHECK(error_of("\xef\xbb\xbf{}", {.allow_bom = true}).code() == "none");
  CHECK(error_of("[\"\\ud800\"]").code() == "json");
  CHECK(error_of("[1e400]").code() == "json");
  CHECK(error_of("[NaN]").code() == "json");
  CHECK(error_of("[\"a\\u0000b\"]").code() == "none");
  CHECK(error_of("[\"a\\u0000b\"]", {.allow_nul = false}).code() == "json");
}

TEST_CASE("Depth and size have limits, and deep nesting does not use the stack") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(error_of(nested(64)).code() == "none");
  CHECK(error_of(nested(65)).code() == "json");
  CHECK(error_of(std::string(10'000'000, '[')).code() == "json");
  CHECK(error_of("[1,2,3]", {.max_bytes = 6}).code() == "too_large");
}

TEST_CASE("A message from a file is short and printable") {
  const FileError error = error_of("[\"" + std::string(100'000, 'x') + "\x01\"]");
  CHECK(std::string(error.what()).size() < 400);
  CHECK(std::string(error.what()).find('\x01') == std::string::npos);
}

TEST_CASE("dump_json writes NaN as null and refuses text that is not UTF-8") {
  CHECK(dump_json({{"a", std::nan("")}, {"b", 1}}) == R"({"a":null,"b":1})");
  CHECK_THROWS_AS(dump_json({{"a", "\xff"}}), ArgumentError);
  Json value = {{"a", {1.0, std::numeric_limits<double>::infinity()}}, {"b", 2}};
  CHECK(null_nonfinite(value));
  CHECK(value.dump() == R"({"a":[1.0,null],"b":2})");
  CHECK_FALSE(null_nonfinite(value));
}

TEST_CASE("A whole JSON file may begin with a byte order mark") {
  const test::TemporaryFolder folder;
  CHECK(parse_json_file(folder.file("a.json", "\xef\xbb\xbf[1]\n"), FileRole::data) == Json::array({1}));
  CHECK_THROWS_AS(parse_json_file(folder.file("b.json", "[1"), FileRole::model), ModelError);
}
