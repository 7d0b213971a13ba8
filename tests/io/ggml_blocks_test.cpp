#include "solopo/io/ggml_blocks.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "test_files.hpp"

using namespace solopo::io;
using solopo::test::Bytes;

namespace {
constexpr std::uint16_t half_two = 0x4000, half_minus_three = 0xc200;

std::vector<float> floats_of(GgmlType type, const std::string& block) {
  std::vector<float> out(32);
  CHECK(dequantize(static_cast<std::uint32_t>(type), block.data(), out.data(), out.size()));
  return out;
}
}  // namespace

TEST_CASE("Q8_0 is scale times signed byte") {
  Bytes block;
  block.put(half_two);
  for (int i = 0; i < 32; ++i) block.put(static_cast<std::int8_t>(i * 8 - 128));
  const auto out = floats_of(GgmlType::Q8_0, block.text);
  for (int i = 0; i < 32; ++i) CHECK(out[i] == 2.0f * static_cast<float>(i * 8 - 128));
}

TEST_CASE("Q4_0 is scale times (nibble - 8), low nibbles first") {
  Bytes block;
  block.put(half_two);
  for (int i = 0; i < 16; ++i) block.put(static_cast<std::uint8_t>(i | (15 - i) << 4));
  const auto out = floats_of(GgmlType::Q4_0, block.text);
  for (int i = 0; i < 16; ++i) {
    CHECK(out[i] == 2.0f * static_cast<float>(i - 8));
    CHECK(out[16 + i] == 2.0f * static_cast<float>(7 - i));
  }
}

TEST_CASE("Q4_1 is scale times nibble plus minimum, low nibbles first") {
  Bytes block;
  block.put(half_two).put(half_minus_three);
  for (int i = 0; i < 16; ++i) block.put(static_cast<std::uint8_t>(i | (15 - i) << 4));
  const auto out = floats_of(GgmlType::Q4_1, block.text);
  for (int i = 0; i < 16; ++i) {
    CHECK(out[i] == 2.0f * static_cast<float>(i) - 3.0f);
    CHECK(out[16 + i] == 2.0f * static_cast<float>(15 - i) - 3.0f);
  }
}

TEST_CASE("Types that are listed but not computed with are refused, not guessed") {
  std::string block(1024, 'x');
  std::vector<float> out(256, 7.0f);
  for (const GgmlTypeInfo& type : ggml_types) {
    CHECK(type.block_bytes > 0);
    const std::string_view name = type.name;
    const bool known = name == "F32" || name == "F16" || name == "BF16" || name == "Q8_0" || name == "Q4_0" ||
                       name == "Q4_1";
    CHECK(dequantize(type.id, block.data(), out.data(), 256) == known);
  }
}
