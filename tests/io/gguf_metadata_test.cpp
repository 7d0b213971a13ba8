#include "solopo/io/gguf_metadata.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "gguf_bytes.hpp"
#include "solopo/io/gguf.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::code_of;
using test::GgufBytes;
using test::TemporaryFolder;

TEST_CASE("A value comes in the type that is asked for, when it fits") {
  GgufBytes bytes;
  bytes.key("small", GgufType::U8).put(std::uint8_t{200});
  bytes.key("minus", GgufType::I64).put(std::int64_t{-1});
  bytes.key("large", GgufType::U64).put(std::uint64_t{1} << 40);
  bytes.key("real", GgufType::F64).put(0.25);
  bytes.key("yes", GgufType::BOOL).put(std::uint8_t{1});
  bytes.key("text", GgufType::STRING).string("abc");
  bytes.array("list", GgufType::U16, 3).put(std::uint16_t{1}).put(std::uint16_t{2}).put(std::uint16_t{300});
  bytes.array("words", GgufType::STRING, 2).string("a").string("");
  bytes.array("reals", GgufType::F32, 1).put(1.5f);
  bytes.array("none", GgufType::STRING, 0);
  const TemporaryFolder folder;
  const GgufFile file(folder.file("m.gguf", bytes.text()));

  CHECK(file.get<int>("small") == 200);
  CHECK(file.get<std::int64_t>("small") == 200);
  CHECK(file.find<int>("absent") == std::nullopt);
  CHECK(file.get<float>("real") == 0.25f);
  CHECK(file.get<std::string_view>("text") == "abc");
  CHECK(file.get<std::vector<int>>("list") == std::vector<int>{1, 2, 300});
  CHECK(file.get<std::vector<std::string_view>>("words") == std::vector<std::string_view>{"a", ""});
  CHECK(file.get<std::vector<std::string>>("none").empty());

  const auto code = [&](auto wanted, const char* key) {
    return code_of([&] { static_cast<void>(file.get<decltype(wanted)>(key)); });
  };
  CHECK(code(std::int8_t{}, "small") == "range");
  CHECK(code(std::uint32_t{}, "minus") == "range");
  CHECK(code(std::uint64_t{}, "minus") == "range");
  CHECK(code(std::int32_t{}, "large") == "range");
  CHECK(code(std::vector<std::uint8_t>{}, "list") == "range");
  CHECK(code(int{}, "absent") == "missing_key");
  CHECK(code_of([&] { static_cast<void>(file.find<int>("text")); }) == "type");
}

TEST_CASE("An array or value is never read as another type than the file declares") {
  GgufBytes bytes;
  bytes.key("int", GgufType::I32).put(std::int32_t{1});
  bytes.key("real", GgufType::F32).put(1.0f);
  bytes.key("yes", GgufType::BOOL).put(std::uint8_t{1});
  bytes.key("text", GgufType::STRING).string("1");
  bytes.array("reals", GgufType::F32, 1).put(1.0f);
  bytes.array("ints", GgufType::I32, 1).put(std::int32_t{1});
  const TemporaryFolder folder;
  const GgufFile file(folder.file("m.gguf", bytes.text()));
  const auto code = [&](auto wanted, const char* key) {
    return code_of([&] { static_cast<void>(file.get<decltype(wanted)>(key)); });
  };
  for (const char* key : {"real", "yes", "text", "reals", "ints"}) CHECK(code(int{}, key) == "type");
  for (const char* key : {"int", "yes", "text", "reals"}) CHECK(code(float{}, key) == "type");
  for (const char* key : {"int", "real", "text"}) CHECK(code(bool{}, key) == "type");
  for (const char* key : {"int", "real", "yes", "reals"}) CHECK(code(std::string{}, key) == "type");
  for (const char* key : {"int", "reals", "text"}) CHECK(code(std::vector<int>{}, key) == "type");
  for (const char* key : {"ints", "text"}) CHECK(code(std::vector<float>{}, key) == "type");
  for (const char* key : {"ints", "reals"}) CHECK(code(std::vector<std::string>{}, key) == "type");
  try {
    static_cast<void>(file.get<std::string>("int"));
    FAIL("read");
  } catch (const ModelError& error) {
    CHECK(error.where().field == "int");
    CHECK(error.where().has_offset);
    CHECK(std::string(error.what()).find("i32") != std::string::npos);
  }
}
