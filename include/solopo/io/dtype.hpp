// The element types of safetensors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "solopo/io/checked_size.hpp"

namespace solopo::io {

// In the order in which the reference writer lays tensors out, last first.
enum class Dtype : std::uint8_t {
  BOOL,
  F4,
  F6_E2M3,
  F6_E3M2,
  U8,
  I8,
  F8_E5M2,
  F8_E4M3,
  F8_E8M0,
  F8_E4M3FNUZ,
  F8_E5M2FNUZ,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  C64,
  F64,
  I64,
  U64
};

struct DtypeInfo {
  std::string_view name;
  std::uint32_t bits;
};
inline constexpr std::array<DtypeInfo, 22> dtype_infos{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
    {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
    {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
    {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64},
}};
[[nodiscard]] constexpr const DtypeInfo& info(Dtype dtype) noexcept {
  return dtype_infos[static_cast<std::size_t>(dtype)];
}
[[nodiscard]] constexpr std::optional<Dtype> find_dtype(std::string_view name) noexcept {
  for (std::size_t i = 0; i < dtype_infos.size(); ++i) {
    if (dtype_infos[i].name == name) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

// Elements of a shape, multiplied from left to right.
[[nodiscard]] inline CheckedSize element_count(const std::vector<std::uint64_t>& shape) noexcept {
  CheckedSize count = 1;
  for (const std::uint64_t extent : shape) count = count * extent;
  return count;
}

}  // namespace solopo::io
