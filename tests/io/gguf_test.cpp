// The reader's GGUF rows of the test matrix; also tests gguf_header.hpp.
#include "solopo/io/gguf.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "gguf_bytes.hpp"
#include "heap_meter.hpp"
#include "solopo/io/json.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::Bytes;
using test::code_of;
using test::GgufBytes;
using test::TemporaryFolder;

namespace {

constexpr std::uint32_t f32 = 0, f16 = 1, q4_0 = 2, q4_k = 12, i8 = 24, i64 = 27;

std::optional<ModelError> refusal(std::string_view bytes, const GgufLimits& limits = {}) {
  const TemporaryFolder folder;
  const auto path = folder.file("m.gguf", bytes);
  try {
    const GgufFile file(path, limits);
  } catch (const ModelError& error) {
    CHECK(error.where().file == path.string());
    CHECK(error.where().has_offset);
    CHECK(std::string(error.what()).size() < 1000);
    return error;
  }
  return std::nullopt;
}
std::string open(std::string_view bytes, const GgufLimits& limits = {}) {
  const auto error = refusal(bytes, limits);
  return error ? error->code() : "none";
}
std::string open(const GgufBytes& file, const GgufLimits& limits = {}) { return open(file.text(), limits); }

// One tensor of floats 1 2 3 4.
GgufBytes four_floats() {
  GgufBytes file;
  file.tensor("t", {4}, f32, 0);
  file.data = Bytes().put(1.0f).put(2.0f).put(3.0f).put(4.0f).text;
  return file;
}

// Opening fails with `code` in less than 10 ms and 1 MiB of heap.
void check_cheap(const GgufBytes& bytes, const char* code) {
  const TemporaryFolder folder;
  const auto path = folder.file("m.gguf", bytes.text());
  const test::HeapMeter meter;
  const test::CpuTimer timer;
  CHECK(code_of([&] { const GgufFile file(path); }) == code);
  CHECK(timer.seconds() < 0.01);
  CHECK(meter.peak() < 1 << 20);
}

}  // namespace

TEST_CASE("GG1: another magic, or a file shorter than a header, is no GGUF file") {
  GgufBytes file = four_floats();
  CHECK(open(file) == "none");
  file.magic = 0x47475546;  // "FUGG"
  CHECK(open(file) == "magic");
  const std::string good = four_floats().text();
  for (std::size_t size = 0; size < 24; ++size) CHECK(open(good.substr(0, size)) == "magic");
}

TEST_CASE("GG2: versions other than 2 and 3 are refused, a big-endian file by that name") {
  GgufBytes file = four_floats();
  for (const std::uint32_t version : {0u, 1u, 4u, 0x03000000u, 0xffffffffu}) {
    file.version = version;
    const auto error = refusal(file.text());
    REQUIRE(error);
    CHECK(error->code() == "version");
    CHECK((std::string(error->what()).find("big-endian") != std::string::npos) == (version == 0x03000000u));
  }
  file.version = 2;
  CHECK(open(file) == "none");
}

TEST_CASE("GG3: counts beyond what the file can hold are refused before anything is reserved") {
  for (const std::uint64_t count : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1'000'000}}) {
    GgufBytes keys = four_floats();
    keys.extra_keys = count;
    check_cheap(keys, "count");
    GgufBytes tensors = four_floats();
    tensors.extra_tensors = count - 1;
    check_cheap(tensors, "count");
  }
  GgufBytes missing = four_floats();
  missing.extra_tensors = 1;
  CHECK(open(missing) != "none");
}

TEST_CASE("GG4: a key that is too long, empty or there twice is refused") {
  for (const std::uint64_t length : {~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{60'000}}) {
    GgufBytes file;
    file.key_count = 1;
    file.keys.put(length).raw("some bytes that are not enough");
    check_cheap(file, "key");
  }
  GgufBytes twice;
  twice.key("a.b", GgufType::U8).put(std::uint8_t{1});
  twice.key("c", GgufType::U8).put(std::uint8_t{1});
  twice.key("a.b", GgufType::U16).put(std::uint16_t{1});
  const auto error = refusal(twice.text());
  REQUIRE(error);
  CHECK(error->code() == "key");
  CHECK(error->where().field == "a.b");
}

TEST_CASE("GG5: unknown value types and arrays of arrays are refused") {
  for (const std::uint32_t type : {13u, 0xffffffffu}) {
    GgufBytes file;
    file.key("k", type).put(std::uint64_t{0});
    CHECK(open(file) == "type");
    GgufBytes array;
    array.key("k", GgufType::ARRAY).put(type).put(std::uint64_t{0});
    CHECK(open(array) == "type");
  }
  GgufBytes nested;
  nested.array("k", GgufType::ARRAY, 1).put(GgufType::U8).put(std::uint64_t{1}).put(std::uint8_t{1});
  CHECK(open(nested) == "type");
}

TEST_CASE("GG6: array lengths that wrap or exceed the file are refused at once, and nothing is allocated") {
  for (const std::uint64_t count :
       {std::uint64_t{1} << 63, (std::uint64_t{1} << 61) + 1, std::uint64_t{1'000'000}}) {
    GgufBytes file;
    file.array("k", GgufType::U64, count).put(std::uint64_t{1});
    check_cheap(file, "length");
    GgufBytes strings;
    strings.array("k", GgufType::STRING, count).string("a");
    check_cheap(strings, "length");
  }
}

TEST_CASE("GG7: strings longer than the rest of the file are refused at once") {
  for (const std::uint64_t length : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1000}}) {
    GgufBytes file;
    file.key("k", GgufType::STRING).put(length).raw("short");
    check_cheap(file, "length");
    GgufBytes array;
    array.array("k", GgufType::STRING, 2).string("fine").put(length).raw("padding padding");
    check_cheap(array, "length");
  }
}

TEST_CASE("GG8: a bool whose byte is 2 is true") {
  GgufBytes file;
  file.key("k", GgufType::BOOL).put(std::uint8_t{2});
  file.array("a", GgufType::BOOL, 2).put(std::uint8_t{0}).put(std::uint8_t{255});
  const TemporaryFolder folder;
  const GgufFile read(folder.file("m.gguf", file.text()));
  CHECK(read.get<bool>("k"));
  CHECK(read.get<std::vector<bool>>("a") == std::vector<bool>{false, true});
}

TEST_CASE("GG9: an alignment that is no power of two up to 1 MiB, or of another type, is refused") {
  const auto with = [](std::uint32_t alignment) {
    GgufBytes file = four_floats();
    file.key("general.alignment", GgufType::U32).put(alignment);
    if (alignment > 0 && alignment < 4096) file.alignment = alignment;
    return open(file);
  };
  for (const std::uint32_t good : {1u, 8u, 32u, 64u, 2048u}) CHECK(with(good) == "none");
  for (const std::uint32_t bad : {0u, 13u, 1u << 31, 1u << 21}) CHECK(with(bad) == "alignment");
  GgufBytes i32 = four_floats();
  i32.key("general.alignment", GgufType::I32).put(std::int32_t{32});
  CHECK(open(i32) == "alignment");
  GgufBytes text = four_floats();
  text.key("general.alignment", GgufType::STRING).string("32");
  CHECK(open(text) == "alignment");
}

TEST_CASE("GG10: tensor names of 64 bytes or more, and names used twice, are refused") {
  const auto named = [](const std::string& name) {
    GgufBytes file;
    return open(file.tensor(name, {0}, f32, 0));
  };
  CHECK(named(std::string(63, 'n')) == "none");
  CHECK(named(std::string(64, 'n')) == "name");
  GgufBytes endless;
  endless.tensor_count = 1;
  endless.table.put(~std::uint64_t{0}).raw(std::string(40, 'x'));
  check_cheap(endless, "name");
  GgufBytes twice;
  CHECK(open(twice.tensor("t", {0}, f32, 0).tensor("t", {0}, f16, 0)) == "name");
}

TEST_CASE("GG11: five dimensions or a negative one are refused; a dimension of 0 loads empty") {
  const auto shaped = [](const std::vector<std::int64_t>& dims) {
    GgufBytes file;
    file.data = std::string(64, 'x');
    return open(file.tensor("t", dims, f32, 0));
  };
  CHECK(shaped({1, 1, 1, 1}) == "none");
  CHECK(shaped({1, 1, 1, 1, 1}) == "dims");
  CHECK(shaped({-1}) == "dims");
  CHECK(shaped({2, -4}) == "dims");
  const TemporaryFolder folder;
  GgufBytes empty;
  const GgufFile file(folder.file("m.gguf", empty.tensor("t", {32, 0}, q4_0, 0).text()));
  CHECK(file.tensors()[0].elements == 0);
  file.read_f32("t", {});
}

TEST_CASE("GG12: element counts and byte sizes that wrap are refused") {
  const auto shaped = [](const std::vector<std::int64_t>& dims, std::uint32_t type) {
    GgufBytes file;
    return open(file.tensor("t", dims, type, 0));
  };
  constexpr std::int64_t wide = std::int64_t{4} * 0x7fffffff, largest = 0x7fffffffffffffff;
  CHECK(shaped({wide, wide}, f32) == "overflow");
  CHECK(shaped({largest}, i64) == "overflow");
  CHECK(shaped({largest - 31, 4, 0}, q4_0) == "overflow");
  CHECK(shaped({std::int64_t{1} << 32, std::int64_t{1} << 32, 1, 1}, i8) == "overflow");
}

TEST_CASE("GG13: rows that are no whole blocks are refused") {
  const auto row = [](std::int64_t elements, std::uint32_t type) {
    GgufBytes file;
    file.data = std::string(4096, 'x');
    return open(file.tensor("t", {elements, 2}, type, 0));
  };
  CHECK(row(64, q4_0) == "none");
  CHECK(row(48, q4_0) == "block");
  CHECK(row(256, q4_k) == "none");
  CHECK(row(128, q4_k) == "block");
}

TEST_CASE("GG14: tensor types that are unknown or retired are refused") {
  for (const std::uint32_t type : {4u, 5u, 31u, 33u, 36u, 38u, 1000u, 0xffffffffu}) {
    GgufBytes file;
    CHECK(open(file.tensor("t", {32}, type, 0)) == "ggml_type");
  }
}

TEST_CASE("GG15: an offset that is not where the tensor before it ends is refused") {
  const auto second_at = [](std::uint64_t offset) {
    GgufBytes file = four_floats();
    file.data += std::string(112, 'x');
    return open(file.tensor("u", {4}, f32, offset));
  };
  CHECK(second_at(32) == "none");
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{16}, std::uint64_t{40},
                                     std::uint64_t{64}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    CHECK(second_at(offset) == "offset");
  }
}

TEST_CASE("GG16: sums of sizes that wrap, with their padding, are refused") {
  constexpr std::int64_t half = 0x7fffffffffffffc0;
  GgufBytes two;
  two.tensor("a", {half}, i8, 0).tensor("b", {half}, i8, static_cast<std::uint64_t>(half));
  CHECK(open(two) == "overflow");
  CHECK(open(two, {.metadata_only = true}) == "overflow");
  GgufBytes padded;
  padded.tensor("a", {0x7fffffffffffffff}, i8, 0);
  CHECK(open(padded, {.metadata_only = true}) == "overflow");
}

TEST_CASE("GG17: a file cut by one byte is refused, and so is one cut anywhere before") {
  const std::string good = four_floats().text();
  CHECK(open(good) == "none");
  const auto error = refusal(good.substr(0, good.size() - 1));
  REQUIRE(error);
  CHECK(error->code() == "truncated");
  CHECK(error->where().field == "t");
  for (std::size_t size = 24; size < good.size(); ++size) CHECK(open(good.substr(0, size)) != "none");
}

TEST_CASE("GG18: a tensor that ends beyond the file is refused when the file is opened") {
  GgufBytes file = four_floats();
  file.tensor("u", {1'000'000}, f32, 32);
  CHECK(open(file) == "truncated");
}

TEST_CASE("GG19: sizes beyond 2^31 are exact when only the metadata is there") {
  GgufBytes file;
  file.tensor("a", {std::int64_t{3'000'000'000}, 7}, f16, 0)
      .tensor("b", {64, 100'000'000}, q4_0, 42'000'000'000);
  CHECK(open(file) == "truncated");
  const TemporaryFolder folder;
  const GgufFile read(folder.file("m.gguf", file.text()), {.metadata_only = true});
  CHECK(read.tensors()[0].elements == 21'000'000'000u);
  CHECK(read.tensors()[0].bytes == 42'000'000'000u);
  CHECK(read.tensors()[1].bytes == 3'600'000'000u);
  CHECK(read.tensors()[1].offset == 42'000'000'000u + read.tensors()[0].offset);
  std::vector<float> out(10);
  CHECK_THROWS_AS(read.read_f32("a", out), ArgumentError);
}

TEST_CASE("GG23: one part of a split model is refused") {
  GgufBytes file = four_floats();
  file.key("split.count", GgufType::U16).put(std::uint16_t{2});
  const auto error = refusal(file.text());
  REQUIRE(error);
  CHECK(error->code() == "split");
  CHECK(std::string(error->what()).find("split files unsupported") != std::string::npos);
  GgufBytes whole = four_floats();
  whole.key("split.count", GgufType::U16).put(std::uint16_t{1});
  CHECK(open(whole) == "none");
}

TEST_CASE("Metadata beyond the limit is refused in bounded memory") {
  GgufBytes file;
  file.array("k", GgufType::U8, 40'000'000).raw(std::string(40'000'000, 'x'));
  const TemporaryFolder folder;
  const auto path = folder.file("m.gguf", file.text());
  const test::HeapMeter meter;
  CHECK(code_of([&] { const GgufFile read(path); }) == "too_large");
  CHECK(meter.peak() < std::size_t{64} << 20);
  CHECK_NOTHROW(GgufFile(path, {.max_metadata_bytes = 50'000'000}));
}

TEST_CASE("A million keys open in less than two seconds") {
  GgufBytes file;
  for (int i = 0; i < 1'000'000; ++i) {
    file.key("k" + std::to_string(std::int64_t{i} * 7919 % 1'000'000), GgufType::U8)
        .put(static_cast<std::uint8_t>(i));
  }
  const TemporaryFolder folder;
  const auto path = folder.file("m.gguf", file.text());
  const test::CpuTimer timer;
  const GgufFile read(path);
  CHECK(timer.seconds() < 2);
  CHECK(read.get<int>("k7919") == 1);
}

TEST_CASE("Reading finds tensors by name and refuses what it cannot turn into floats") {
  GgufBytes bytes = four_floats();
  bytes.data += std::string(16, '\0') + std::string(288, 'x');
  bytes.tensor("k", {256, 2}, q4_k, 32);
  const TemporaryFolder folder;
  const GgufFile file(folder.file("m.gguf", bytes.text()));
  std::vector<float> out(4);
  file.read_f32("t", out);
  CHECK(out == std::vector<float>{1, 2, 3, 4});
  CHECK(code_of([&] { file.read_f32("none", out); }) == "missing_tensor");
  CHECK_THROWS_AS(file.read_f32("t", std::span(out).first(3)), ArgumentError);
  std::vector<float> quantised(512);
  CHECK(code_of([&] { file.read_f32("k", quantised); }) == "unsupported_type");
  std::vector<std::byte> raw(288);
  file.read_bytes("k", raw);
  CHECK(raw[287] == std::byte{'x'});
  CHECK(file.find_tensor("k")->shape() == std::vector<std::uint64_t>{2, 256});
}

TEST_CASE("The gguf package's file reads with its values, and blocks become its floats bit for bit") {
  const auto folder = std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden/io";
  const GgufFile file(folder / "blocks.gguf");
  CHECK(file.get<std::uint8_t>("v.u8") == 250);
  CHECK(file.get<std::int8_t>("v.i8") == -7);
  CHECK(file.get<std::uint16_t>("v.u16") == 65000);
  CHECK(file.get<std::int16_t>("v.i16") == -30000);
  CHECK(file.get<std::uint32_t>("v.u32") == 4000000000u);
  CHECK(file.get<std::int32_t>("v.i32") == -2000000000);
  CHECK(file.get<std::uint64_t>("v.u64") == 18000000000000000000u);
  CHECK(file.get<std::int64_t>("v.i64") == -9000000000000000000);
  CHECK(file.get<float>("v.f32") == 0.15625f);
  CHECK(file.get<double>("v.f64") == 1e300);
  CHECK(file.get<bool>("v.bool"));
  CHECK(file.get<std::string>("v.string") == "caf\xc3\xa9");
  CHECK(file.get<std::vector<std::string>>("v.strings") == std::vector<std::string>{"", "a", "\xe4\xb8\xad"});
  CHECK(file.get<std::vector<float>>("v.floats") == std::vector<float>{0.5f, -1.25f});
  CHECK(file.get<std::vector<int>>("v.ints") == std::vector<int>{1, -2, 3});

  const Json expected = parse_json_file(folder / "blocks.json", FileRole::data);
  REQUIRE(expected["float_bits"].size() == 6);
  for (const auto& [name, bits] : expected["float_bits"].items()) {
    CHECK(file.find_tensor(name)->shape() == std::vector<std::uint64_t>{3, 64});
    std::vector<float> out(192);
    file.read_f32(name, out);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < out.size(); ++i) wrong += std::bit_cast<std::uint32_t>(out[i]) != bits[i];
    INFO(name);
    CHECK(wrong == 0);
  }
}
