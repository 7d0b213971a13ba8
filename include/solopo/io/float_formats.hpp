// Half precision and bfloat16 to float: exact, since float holds every value of both.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace solopo::io {

static_assert(std::endian::native == std::endian::little,
              "the file formats are read and written as they lie");
static_assert(std::numeric_limits<float>::is_iec559);

// IEEE binary16, by arithmetic on the bits: 1 sign, 5 exponent (bias 15), 10 fraction.
[[nodiscard]] constexpr float half_to_float(std::uint16_t half) noexcept {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));  // infinity, NaN
  if (exponent > 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero and subnormals
  return sign ? -magnitude : magnitude;
}

// bfloat16 is the upper half of a float.
[[nodiscard]] constexpr float bfloat16_to_float(std::uint16_t bits) noexcept {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

// Rows of little-endian 16-bit values at any address.
inline void halves_to_floats(const void* from, float* to, std::size_t count) noexcept {
  const auto* at = static_cast<const unsigned char*>(from);
#if defined(__F16C__)
  for (; count >= 8; count -= 8, at += 16, to += 8) {
    _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
#endif
  for (; count > 0; --count, at += 2, ++to) {
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof bits);
    *to = half_to_float(bits);
  }
}
inline void bfloat16s_to_floats(const void* from, float* to, std::size_t count) noexcept {
  const auto* at = static_cast<const unsigned char*>(from);
  for (; count > 0; --count, at += 2, ++to) {
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof bits);
    *to = bfloat16_to_float(bits);
  }
}

static_assert(half_to_float(0x3c00) == 1.0f && half_to_float(0x0001) == 0x1p-24f &&
              half_to_float(0xc000) == -2.0f);

}  // namespace solopo::io
