// bfloat16: the upper half of a float. A format to store in; arithmetic is float's.
#pragma once

#include <cstdint>

#include "solopo/core/config.hpp"

namespace solopo {

struct BFloat16 {
  std::uint16_t bits;

  BFloat16() = default;
  // To nearest, ties to even; NaN stays NaN, too large becomes infinity.
#if defined(__CUDA_ARCH__)
  __device__ BFloat16(float x) noexcept { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
#else
  SOLOPO_HD constexpr BFloat16(float x) noexcept : bits(rounded(__builtin_bit_cast(std::uint32_t, x))) {}
#endif
  SOLOPO_HD constexpr operator float() const noexcept {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }
  SOLOPO_HD BFloat16& operator+=(float x) noexcept { return *this = BFloat16(static_cast<float>(*this) + x); }

 private:
  SOLOPO_HD static constexpr std::uint16_t rounded(std::uint32_t b) noexcept {
    if ((b & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((b >> 16) | 0x40u);
    return static_cast<std::uint16_t>((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
  }
};
static_assert(sizeof(BFloat16) == 2);

}  // namespace solopo
