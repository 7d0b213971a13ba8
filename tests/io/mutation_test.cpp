// Good files with a few fields changed, thousands of times from a fixed seed: opening and reading them gives
// values or a FileError, never anything else. Under the sanitizers this finds reads out of bounds, too.
#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "gguf_bytes.hpp"
#include "solopo/core/random.hpp"
#include "solopo/io/gguf.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/io/safetensors.hpp"
#include "test_files.hpp"

using namespace solopo;
using namespace solopo::io;
using test::GgufBytes;
using test::TemporaryFolder;

namespace {

constexpr std::uint64_t readable = 1 << 16;  // elements; larger tensors are only listed

void read_all(const SafetensorsFile& file) {
  for (const SafetensorsTensor& tensor : file.tensors()) {
    if (tensor.elements() > readable) continue;
    std::vector<float> out(tensor.elements());
    try {
      file.read_f32(tensor.name, out);
    } catch (const FileError&) {
    }
  }
}
void read_all(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.elements > readable) continue;
    std::vector<float> out(tensor.elements);
    try {
      file.read_f32(tensor.name, out);
    } catch (const FileError&) {
    }
  }
  const auto ask = [&]<class T>(std::string_view key, T) {
    try {
      static_cast<void>(file.find<T>(key));
    } catch (const FileError&) {
    }
  };
  for (const GgufEntry& entry : file.metadata().entries()) {
    const std::string_view key = file.metadata().key(entry);
    ask(key, std::int32_t{});
    ask(key, float{});
    ask(key, false);
    ask(key, std::string{});
    ask(key, std::vector<std::string>{});
    ask(key, std::vector<std::int64_t>{});
    ask(key, std::vector<double>{});
  }
}

// One change: a byte, a field of 4 or 8 bytes set to an awkward number, a piece removed, doubled or cut off,
// or one word of the file replaced by another.
std::string mutate(std::string bytes, const std::vector<std::string>& words, RandomStream& random) {
  static constexpr std::uint64_t awkward[] = {0,
                                              1,
                                              2,
                                              7,
                                              31,
                                              32,
                                              33,
                                              255,
                                              256,
                                              0x7fffffff,
                                              0x80000000,
                                              0xffffffff,
                                              std::uint64_t{1} << 32,
                                              std::uint64_t{1} << 61,
                                              (std::uint64_t{1} << 61) + 1,
                                              std::uint64_t{1} << 63,
                                              ~std::uint64_t{0} - 31,
                                              ~std::uint64_t{0} - 1,
                                              ~std::uint64_t{0},
                                              0x7fffffffffffffff,
                                              0x7fffffffffffffc0};
  const std::size_t at = random.below(bytes.size());
  switch (random.below(8)) {
    case 0:
      bytes[at] = static_cast<char>(random.below(256));
      break;
    case 1:
    case 2:
    case 3: {
      const std::uint64_t value = awkward[random.below(std::size(awkward))];
      const std::size_t width = random.below(2) ? 8 : 4;
      if (at + width <= bytes.size()) std::memcpy(bytes.data() + at, &value, width);
      break;
    }
    case 4:
      bytes.erase(at, 1 + random.below(16));
      break;
    case 5:
      bytes.insert(at, bytes.substr(at, 1 + random.below(32)));
      break;
    case 6:
      bytes.resize(at);
      break;
    default: {
      const std::string& from = words[random.below(words.size())];
      const std::string& to = words[random.below(words.size())];
      if (const auto found = bytes.find(from, at); found != bytes.npos) bytes.replace(found, from.size(), to);
    }
  }
  return bytes.empty() ? std::string(1, '\0') : bytes;
}

template <class File>
void check_mutations(const std::string& good, const std::vector<std::string>& words, const char* purpose) {
  const TemporaryFolder folder;
  std::size_t opened = 0, refused = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    RandomStream random{1, purpose, i};
    std::string bytes = good;
    const std::uint64_t changes = 1 + random.below(3);
    for (std::uint64_t k = 0; k < changes; ++k) bytes = mutate(std::move(bytes), words, random);
    const auto path = folder.file("m", bytes);
    try {
      const File file(path);
      ++opened;
      read_all(file);
    } catch (const FileError&) {
      ++refused;
    }
  }
  CHECK(opened > 50);  // both ways are taken: the changes are neither harmless nor hopeless
  CHECK(refused > 1000);
  CHECK(opened + refused == 3000);
}

}  // namespace

TEST_CASE("A changed safetensors file gives values or a typed error") {
  const auto golden = std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden/io/small.safetensors";
  const std::vector<std::string> words = {"\"F32\"",
                                          "\"F16\"",
                                          "\"F4\"",
                                          "\"I64\"",
                                          "[",
                                          "]",
                                          "{",
                                          "}",
                                          "null",
                                          "1e3",
                                          "-1",
                                          "[0,48]",
                                          "[48,96]",
                                          "shape",
                                          "dtype",
                                          "data_offsets",
                                          ",",
                                          ":",
                                          "18446744073709551615",
                                          "\"weight\""};
  check_mutations<SafetensorsFile>(test::bytes_of(golden), words, "safetensors");
}

TEST_CASE("A changed GGUF file gives values or a typed error") {
  const auto golden = std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden/io/blocks.gguf";
  const auto word = [](auto value) { return test::Bytes().put(value).text; };
  const std::vector<std::string> words = {word(std::uint32_t{0}),
                                          word(std::uint32_t{2}),
                                          word(std::uint32_t{8}),
                                          word(std::uint32_t{9}),
                                          word(std::uint32_t{13}),
                                          word(std::uint32_t{30}),
                                          word(std::uint64_t{64}),
                                          word(std::uint64_t{3}),
                                          word(std::uint64_t{32}),
                                          word(std::int64_t{-1}),
                                          "v.i32",
                                          "v.strings",
                                          "Q4_0",
                                          "Q4_1"};
  check_mutations<GgufFile>(test::bytes_of(golden), words, "gguf");
  // Without the 3 kB of data most changes hit the metadata.
  GgufBytes small;
  small.key("v.i32", GgufType::I32).put(std::int32_t{3});
  small.array("v.strings", GgufType::STRING, 3).string("a").string("").string("bcd");
  small.key("split.count", GgufType::U16).put(std::uint16_t{1});
  small.key("general.alignment", GgufType::U32).put(std::uint32_t{32});
  small.tensor("Q4_0", {32, 2}, 2, 0)
      .tensor("Q4_1", {32}, 3, 64)
      .tensor("e", {0}, 0, 96)
      .tensor("f", {2}, 0, 96);
  small.data = std::string(104, '\1');
  check_mutations<GgufFile>(small.text(), words, "gguf metadata");
}

TEST_CASE("Changed JSON lines give records or a typed error") {
  const std::string good =
      "{\"id\":\"a\",\"n\":[1,2.5,-3],\"t\":\"caf\xc3\xa9\",\"o\":{\"x\":null,\"y\":true}}\r\n\n"
      "{\"id\":\"b\",\"t\":\"\\u00e9\\n\"}\n{\"id\":\"c\"}";
  const std::vector<std::string> words = {
      "\"id\"",       "\"t\"",        "{",     "}",  "[",  "]", ",", ":", "\n", "\r\n", "\\ud800",
      "\xed\xa0\x80", "\xef\xbb\xbf", "1e999", "\"", "nul"};
  const TemporaryFolder folder;
  std::size_t records = 0, refused = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    RandomStream random{1, "jsonl", i};
    const auto path = folder.file("m", mutate(mutate(good, words, random), words, random));
    try {
      JsonlReader reader(path, {.bad_utf8 = i % 2 ? BadUtf8::replace : BadUtf8::reject, .max_bad = i % 3});
      while (reader.next()) ++records;
    } catch (const FileError&) {
      ++refused;
    }
  }
  CHECK(records > 1000);
  CHECK(refused > 500);
}
