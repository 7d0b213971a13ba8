// The safetensors rows of the test matrix; also tests safetensors_header.hpp and dtype.hpp.
#include "solopo/io/safetensors_file.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "heap_meter.hpp"
#include "solopo/io/safetensors.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::Bytes;
using test::code_of;
using test::TemporaryFolder;

namespace {

std::string file_of(std::string_view header, std::string_view data = "") {
  return Bytes().put(std::uint64_t{header.size()}).raw(header).raw(data).text;
}

// The error that opening these bytes ends with.
std::optional<ModelError> refusal(std::string_view bytes) {
  const TemporaryFolder folder;
  const auto path = folder.file("m.safetensors", bytes);
  try {
    const SafetensorsFile file(path);
  } catch (const ModelError& error) {
    CHECK(error.where().file == path.string());
    CHECK(std::string(error.what()).size() < 1000);
    return error;
  }
  return std::nullopt;
}
std::string open(std::string_view bytes) {
  const auto error = refusal(bytes);
  return error ? error->code() : "none";
}
std::string open_header(std::string_view header, std::size_t data_bytes = 0) {
  return open(file_of(header, std::string(data_bytes, '\1')));
}
std::string entry(std::string_view name, std::string_view dtype, std::string_view shape, std::uint64_t begin,
                  std::uint64_t end) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) +
         "\",\"shape\":" + std::string(shape) + ",\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

}  // namespace

TEST_CASE("ST1: a file of 0, 1 or 7 bytes has no header length") {
  for (const std::size_t size : {0, 1, 7}) CHECK(open(std::string(size, '\0')) == "header_too_small");
}

TEST_CASE("ST2: a header length beyond 100 MB is refused before anything is allocated") {
  const TemporaryFolder folder;
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    const auto path = folder.file("m", Bytes().put(length).raw("{}").text);
    const test::HeapMeter meter;
    CHECK(code_of([&] { const SafetensorsFile file(path); }) == "header_too_large");
    CHECK(meter.peak() < 64 * 1024);
  }
}

TEST_CASE("ST3: a header length past the end of the file is refused before anything is allocated") {
  CHECK(open(Bytes().put(std::uint64_t{3}).raw("{}").text) == "header_length");
  CHECK(open(Bytes().put(std::uint64_t{99'999'999}).raw("{}").text) == "header_length");
  std::string good = file_of("{" + entry("a", "U8", "[4]", 0, 4) + "}", "1234");
  REQUIRE(open(good) == "none");
  const std::uint64_t thousand = 1000;
  good.replace(0, 8, reinterpret_cast<const char*>(&thousand), 8);
  CHECK(open(good) == "header_length");
}

TEST_CASE("ST4: a header that is not UTF-8 is refused at the bad byte") {
  const auto error = refusal(file_of("{\"\xc0\xaf\":{}}"));
  REQUIRE(error);
  CHECK(error->code() == "utf8");
  CHECK(error->where().offset == 10);
}

TEST_CASE("ST5: a header that is not one JSON object is refused with its offset") {
  for (const char* header : {"", "x", "{\"a\":", "[]", "\"a\"", "3", "null", "{} x", "{}{}", "{,}"}) {
    const auto error = refusal(file_of(header));
    REQUIRE(error);
    CHECK(error->code() == "json");
    CHECK(error->where().has_offset);
    CHECK(error->where().offset >= 8);
  }
  CHECK(open(file_of(std::string("{}\0x", 4))) == "json");
}

TEST_CASE("ST6: JSON whitespace before and after the header object is fine") {
  CHECK(open_header(" \n\t{}") == "none");
  CHECK(open_header("{}   \r\n ") == "none");
}

TEST_CASE("ST7: ten million open brackets are refused without a stack overflow, within a second") {
  const std::string header = "{\"a\":{\"x\":" + std::string(10'000'000, '[');
  const std::string bytes = file_of(header);
  const TemporaryFolder folder;
  const auto path = folder.file("m", bytes);
  const test::CpuTimer timer;
  CHECK(code_of([&] { const SafetensorsFile file(path); }) == "json");
  CHECK(timer.seconds() < 1);
}

TEST_CASE(
    "ST8: a name that comes twice is refused, with equal or different offsets, and so is __metadata__") {
  const std::string a = entry("a", "U8", "[2]", 0, 2);
  CHECK(open_header("{" + a + "," + a + "}", 2) == "duplicate");
  CHECK(open_header("{" + a + "," + entry("a", "U8", "[2]", 2, 4) + "}", 4) == "duplicate");
  CHECK(open_header("{" + a + "," + entry("\\u0061", "U8", "[2]", 2, 4) + "}", 4) == "duplicate");
  CHECK(open_header("{\"__metadata__\":{},\"__metadata__\":{}}") == "duplicate");
  CHECK(open_header("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}") == "duplicate");
  CHECK(open_header(R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})") == "duplicate");
}

TEST_CASE("ST9: an entry that lacks a member or has one of the wrong form is refused by name") {
  const auto with = [](std::string_view members) {
    const auto error = refusal(file_of("{\"t\":" + std::string(members) + "}"));
    if (error) CHECK(error->where().field == "t");
    return error ? error->code() : "none";
  };
  CHECK(with(R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})") == "none");
  CHECK(with(R"({"shape":[0],"data_offsets":[0,0]})") == "bad_entry");
  CHECK(with(R"({"dtype":"U8","data_offsets":[0,0]})") == "bad_entry");
  CHECK(with(R"({"dtype":"U8","shape":[0]})") == "bad_entry");
  for (const char* extent :
       {"2.0", "\"2\"", "-1", "-0", "null", "1e3", "18446744073709551616", "[2]", "{}", "true"}) {
    CHECK(with(R"({"dtype":"U8","shape":[)" + std::string(extent) + R"(],"data_offsets":[0,0]})") ==
          "bad_entry");
  }
  for (const char* offsets : {"[]", "[0]", "[0,0,0]", "[0,0.0]", "[0,-1]", "0", "{}", "null", "[0,\"0\"]"}) {
    CHECK(with(R"({"dtype":"U8","shape":[0],"data_offsets":)" + std::string(offsets) + "}") == "bad_entry");
  }
  CHECK(with(R"({"dtype":3,"shape":[0],"data_offsets":[0,0]})") == "bad_entry");
  CHECK(with(R"({"dtype":"U8","shape":4,"data_offsets":[0,0]})") == "bad_entry");
  CHECK(with("[]") == "bad_entry");
  CHECK(with("7") == "bad_entry");
}

TEST_CASE("ST9: unknown members of an entry are passed over, however they look") {
  CHECK(open_header(
            R"({"t":{"x":[1,{"shape":[9],"dtype":{}}],"dtype":"U8","y":{"z":{}},"n":null,"f":1.5,"i":-3,)"
            R"("s":"dtype","u":7,"shape":[2],"data_offsets":[0,2]}})",
            2) == "none");
}

TEST_CASE("ST10: a metadata value that is no string is refused") {
  CHECK(open_header(R"({"__metadata__":{"k":"v"}})") == "none");
  for (const char* value : {"1", "null", "{}", "[\"v\"]", "true", "1.5", "-1"}) {
    CHECK(open_header("{\"__metadata__\":{\"k\":" + std::string(value) + "}}") == "bad_metadata");
  }
  for (const char* value : {"1", "null", "[]", "\"v\""}) {
    CHECK(open_header("{\"__metadata__\":" + std::string(value) + "}") == "bad_metadata");
  }
}

TEST_CASE("ST11: an unknown type is refused; a known one that is no float is listed, and refused when read") {
  CHECK(open_header("{" + entry("t", "F12", "[1]", 0, 1) + "}", 1) == "unknown_dtype");
  CHECK(open_header("{" + entry("t", "f32", "[1]", 0, 4) + "}", 4) == "unknown_dtype");
  const TemporaryFolder folder;
  const SafetensorsFile file(folder.file(
      "m", file_of("{" + entry("f8", "F8_E4M3", "[2]", 0, 2) + "," + entry("f4", "F4", "[2]", 2, 3) + "}",
                   "123")));
  REQUIRE(file.tensors().size() == 2);
  CHECK(info(file.tensors()[1].dtype).name == "F4");
  std::vector<float> out(2);
  CHECK(code_of([&] { file.read_f32("f8", out); }) == "unsupported_dtype");
  CHECK(code_of([&] { file.read_f32("f4", out); }) == "unsupported_dtype");
  std::vector<std::byte> raw(1);
  file.read_bytes("f4", raw);
  CHECK(raw[0] == std::byte{'3'});
}

TEST_CASE("ST12: a range that ends before it begins is refused") {
  CHECK(open_header("{" + entry("a", "U8", "[0]", 4, 0) + "}") == "invalid_offset");
  CHECK(open_header("{" + entry("a", "U8", "[4]", 0, 4) + "," + entry("b", "U8", "[0]", 4, 2) + "}", 4) ==
        "invalid_offset");
}

TEST_CASE("ST13: a first tensor that does not begin at 0, or a hole, is refused") {
  CHECK(open_header("{" + entry("a", "U8", "[4]", 4, 8) + "}", 8) == "invalid_offset");
  CHECK(open_header("{" + entry("a", "U8", "[2]", 0, 2) + "," + entry("b", "U8", "[2]", 3, 5) + "}", 5) ==
        "invalid_offset");
}

TEST_CASE("ST14: overlapping tensors are refused in bounded memory") {
  std::string ten = "{";
  for (int i = 0; i < 10; ++i)
    ten += entry("t" + std::to_string(i), "F32", "[4]", 0, 16) + (i < 9 ? "," : "}");
  CHECK(open_header(ten, 16) == "invalid_offset");
  std::string many = "{";
  for (int i = 0; i < 100'000; ++i) {
    many += entry("t" + std::to_string(i), "U8", "[160000]", 0, 160'000) + (i < 99'999 ? "," : "}");
  }
  const TemporaryFolder folder;
  const auto path = folder.file("m", file_of(many, std::string(160'000, 'x')));
  const test::HeapMeter meter;
  CHECK(code_of([&] { const SafetensorsFile file(path); }) == "invalid_offset");
  CHECK(meter.peak() < std::size_t{64} << 20);
}

TEST_CASE("ST15: entries come in any order, and an empty tensor may share an offset") {
  const TemporaryFolder folder;
  const SafetensorsFile file(
      folder.file("m", file_of("{" + entry("b", "U8", "[2]", 2, 4) + "," + entry("e", "F32", "[0]", 2, 2) +
                                   "," + entry("a", "U8", "[2]", 0, 2) + "}",
                               "1234")));
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.tensors()[1].name == "e");
  CHECK(file.tensors()[2].name == "b");
  std::vector<std::byte> raw(2);
  file.read_bytes("b", raw);
  CHECK(raw[0] == std::byte{'3'});
  file.read_f32("e", {});
}

TEST_CASE("ST16: bytes after the last tensor, or missing ones, are refused") {
  const std::string header = "{" + entry("a", "U8", "[4]", 0, 4) + "}";
  CHECK(open_header(header, 4) == "none");
  CHECK(open_header(header, 5) == "incomplete_buffer");
  CHECK(open_header(header, 2) == "incomplete_buffer");
  CHECK(open_header("{}", 1) == "incomplete_buffer");
}

TEST_CASE("ST17: a shape whose size wraps is refused, even with a 0 at its end") {
  const auto shaped = [](const char* dtype, const char* shape, std::uint64_t end) {
    return open_header("{" + entry("a", dtype, shape, 0, end) + "}", end);
  };
  CHECK(shaped("U8", "[2,18446744073709551614]", 4) == "overflow");
  CHECK(shaped("I32", "[2,9223372036854775807]", 8) == "overflow");
  CHECK(shaped("F32", "[9223372036854775808,4,0]", 0) == "overflow");
  CHECK(shaped("F32", "[0,9223372036854775808,4]", 0) == "none");  // from left to right it stays 0
}

TEST_CASE("ST18: a range that is not shape times type is refused") {
  CHECK(open_header("{" + entry("a", "F32", "[2,2]", 0, 12) + "}", 12) == "size_mismatch");
  CHECK(open_header("{" + entry("a", "F16", "[2]", 0, 8) + "}", 8) == "size_mismatch");
}

TEST_CASE("ST19: types below a byte must fill whole bytes") {
  CHECK(open_header("{" + entry("a", "F4", "[3]", 0, 2) + "}", 2) == "misaligned");
  CHECK(open_header("{" + entry("a", "F6_E2M3", "[4]", 0, 3) + "}", 3) == "none");
}

TEST_CASE("ST20: no tensors, a scalar, and dimensions of 0 are fine") {
  CHECK(open_header("{}") == "none");
  CHECK(open_header("{" + entry("a", "F32", "[]", 0, 4) + "}", 4) == "none");
  CHECK(open_header("{" + entry("a", "F32", "[0]", 0, 0) + "," + entry("b", "F64", "[3,0,5]", 0, 0) + "}") ==
        "none");
}

TEST_CASE("ST21: NaN and infinities load, and check_finite names tensor and count") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const TemporaryFolder folder;
  const std::string data = Bytes()
                               .put(nan)
                               .put(1.0f)
                               .put(-inf)
                               .put(static_cast<double>(inf))
                               .put(std::uint16_t{0x7c00})
                               .put(std::uint16_t{0x7f80})
                               .put(2.0f)
                               .text;
  const SafetensorsFile file(folder.file(
      "m", file_of("{" + entry("a", "F32", "[3]", 0, 12) + "," + entry("b", "F64", "[1]", 12, 20) + "," +
                       entry("c", "F16", "[1]", 20, 22) + "," + entry("d", "BF16", "[1]", 22, 24) + "," +
                       entry("e", "F32", "[1]", 24, 28) + "}",
                   data)));
  std::vector<float> out(3);
  file.read_f32("a", out);
  CHECK(std::isnan(out[0]));
  CHECK(out[2] == -inf);
  const auto bad = file.check_finite();
  REQUIRE(bad.size() == 4);
  CHECK((bad[0].name == "a" && bad[0].count == 2));
  CHECK((bad[1].name == "b" && bad[1].count == 1));
  CHECK((bad[2].name == "c" && bad[2].count == 1));
  CHECK((bad[3].name == "d" && bad[3].count == 1));
}

TEST_CASE("ST22: data that is not aligned to its type loads with equal values") {
  const TemporaryFolder folder;
  const std::string data = Bytes()
                               .raw("x")
                               .put(1.5f)
                               .put(-2.25f)
                               .put(0.1)
                               .put(std::uint16_t{0x3e00})
                               .put(std::uint16_t{0xc010})
                               .text;
  const SafetensorsFile file(folder.file(
      "m", file_of("{" + entry("x", "U8", "[1]", 0, 1) + "," + entry("f", "F32", "[2]", 1, 9) + "," +
                       entry("d", "F64", "[1]", 9, 17) + "," + entry("h", "F16", "[1]", 17, 19) + "," +
                       entry("b", "BF16", "[1]", 19, 21) + "}",
                   data)));
  std::vector<float> two(2), one(1);
  file.read_f32("f", two);
  CHECK(two == std::vector<float>{1.5f, -2.25f});
  file.read_f32("d", one);
  CHECK(one[0] == 0.1f);
  file.read_f32("h", one);
  CHECK(one[0] == 1.5f);
  file.read_f32("b", one);
  CHECK(one[0] == -2.25f);
}

TEST_CASE("ST23: any name is a key and never a path") {
  const TemporaryFolder folder;
  const std::string megabyte(1 << 20, 'n');
  const SafetensorsFile file(folder.file(
      "m", file_of("{" + entry("", "U8", "[1]", 0, 1) + "," + entry("../../x", "U8", "[1]", 1, 2) + "," +
                       entry("a\\u0000b", "U8", "[1]", 2, 3) + "," + entry(megabyte, "U8", "[1]", 3, 4) + "}",
                   "1234")));
  std::vector<std::byte> raw(1);
  file.read_bytes("", raw);
  CHECK(raw[0] == std::byte{'1'});
  file.read_bytes("../../x", raw);
  CHECK(raw[0] == std::byte{'2'});
  file.read_bytes(std::string_view("a\0b", 3), raw);
  CHECK(raw[0] == std::byte{'3'});
  file.read_bytes(megabyte, raw);
  CHECK(raw[0] == std::byte{'4'});
  CHECK(folder.entries() == 1);
  try {
    file.read_f32(megabyte + "?", {});
    FAIL("read");
  } catch (const ModelError& error) {
    CHECK(error.code() == "missing_tensor");
    CHECK(std::string(error.what()).size() < 400);
  }
}

TEST_CASE("A destination of the wrong size is an error before anything is read") {
  const TemporaryFolder folder;
  const SafetensorsFile file(
      folder.file("m", file_of("{" + entry("a", "F32", "[2]", 0, 8) + "}", "12345678")));
  std::vector<float> three(3);
  CHECK_THROWS_AS(file.read_f32("a", three), ArgumentError);
  std::vector<std::byte> raw(7);
  CHECK_THROWS_AS(file.read_bytes("a", raw), ArgumentError);
}

TEST_CASE("A hostile header of ten megabytes costs less than a second and 64 MiB above itself") {
  std::string numbers = "{\"t\":{\"x\":[0";
  while (numbers.size() < 10'000'000) numbers += ",0";
  std::string entries = "{";
  for (int i = 0; entries.size() < 10'000'000; ++i) {
    entries += "\"" + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},";
  }
  for (const std::string& header : {numbers + "]}}", entries + "\"\":7}"}) {
    const TemporaryFolder folder;
    const auto path = folder.file("m", file_of(header));
    const test::HeapMeter meter;
    const test::CpuTimer timer;
    CHECK(code_of([&] { const SafetensorsFile file(path); }) == "bad_entry");
    CHECK(timer.seconds() < 1);
    CHECK(meter.peak() < header.size() + (std::size_t{64} << 20));
  }
}
