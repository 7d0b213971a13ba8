// The tensor types of GGUF: how many elements a block has, how many bytes, and for those we compute with, how
// a block becomes floats. Types and layouts: ggml (github.com/ggml-org/ggml), ggml-common.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "solopo/io/float_formats.hpp"

namespace solopo::io {

enum class GgmlType : std::uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q8_0 = 8,
  BF16 = 30
};  // those read_f32 knows

struct GgmlTypeInfo {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};

// Ids that are not here were never used or are retired.
inline constexpr GgmlTypeInfo ggml_types[] = {
    {0, "F32", 1, 4},         {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},      {3, "Q4_1", 32, 20},
    {6, "Q5_0", 32, 22},      {7, "Q5_1", 32, 24},      {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},
    {10, "Q2_K", 256, 84},    {11, "Q3_K", 256, 110},   {12, "Q4_K", 256, 144},   {13, "Q5_K", 256, 176},
    {14, "Q6_K", 256, 210},   {15, "Q8_K", 256, 292},   {16, "IQ2_XXS", 256, 66}, {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50},   {20, "IQ4_NL", 32, 18},   {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},   {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},         {25, "I16", 1, 2},
    {26, "I32", 1, 4},        {27, "I64", 1, 8},        {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},       {34, "TQ1_0", 256, 54},   {35, "TQ2_0", 256, 66},   {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
};
// Null when the id is not a type.
[[nodiscard]] constexpr const GgmlTypeInfo* find_ggml_type(std::uint32_t id) noexcept {
  for (const GgmlTypeInfo& type : ggml_types) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

namespace ggml_detail {

inline float half_at(const std::uint8_t* at) noexcept {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return half_to_float(bits);
}

// Products of a half and a small integer are exact in float, so these sums round once with and without fused
// multiply-add: the same bits everywhere.

// Block of 32: half scale, 32 signed bytes.
inline void dequantize_q8_0(const std::uint8_t* from, float* to, std::size_t blocks) noexcept {
  for (; blocks > 0; --blocks, from += 34, to += 32) {
    const float scale = half_at(from);
    for (int i = 0; i < 32; ++i) to[i] = scale * static_cast<float>(static_cast<std::int8_t>(from[2 + i]));
  }
}
// Block of 32: half scale, 16 bytes: element i in the low four bits of byte i, element 16 + i in the high
// ones.
inline void dequantize_q4_0(const std::uint8_t* from, float* to, std::size_t blocks) noexcept {
  for (; blocks > 0; --blocks, from += 18, to += 32) {
    const float scale = half_at(from);
    for (int i = 0; i < 16; ++i) {
      to[i] = scale * static_cast<float>((from[2 + i] & 15) - 8);
      to[16 + i] = scale * static_cast<float>((from[2 + i] >> 4) - 8);
    }
  }
}
// Block of 32: half scale, half minimum, 16 bytes as in Q4_0, unsigned.
inline void dequantize_q4_1(const std::uint8_t* from, float* to, std::size_t blocks) noexcept {
  for (; blocks > 0; --blocks, from += 20, to += 32) {
    const float scale = half_at(from), minimum = half_at(from + 2);
    for (int i = 0; i < 16; ++i) {
      to[i] = scale * static_cast<float>(from[4 + i] & 15) + minimum;
      to[16 + i] = scale * static_cast<float>(from[4 + i] >> 4) + minimum;
    }
  }
}

}  // namespace ggml_detail

// `count` elements (a multiple of the block) of a GGUF tensor as floats; false when the type is not one of
// GgmlType. `from` need not be aligned.
[[nodiscard]] inline bool dequantize(std::uint32_t type, const void* from, float* to,
                                     std::size_t count) noexcept {
  const auto* bytes = static_cast<const std::uint8_t*>(from);
  switch (static_cast<GgmlType>(type)) {
    case GgmlType::F32:
      std::memcpy(to, from, count * sizeof(float));
      return true;
    case GgmlType::F16:
      halves_to_floats(from, to, count);
      return true;
    case GgmlType::BF16:
      bfloat16s_to_floats(from, to, count);
      return true;
    case GgmlType::Q8_0:
      ggml_detail::dequantize_q8_0(bytes, to, count / 32);
      return true;
    case GgmlType::Q4_0:
      ggml_detail::dequantize_q4_0(bytes, to, count / 32);
      return true;
    case GgmlType::Q4_1:
      ggml_detail::dequantize_q4_1(bytes, to, count / 32);
      return true;
  }
  return false;
}

}  // namespace solopo::io
