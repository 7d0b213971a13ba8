// Exponential and logarithm of a float without a branch or a call, so that a loop over them is vectorised; a
// double's are the standard library's. Errors are the largest measured over all floats of the range against
// double, in units of the last place; under -ffast-math, which reorders the reduction by ln 2, e^x is right to
// 64 of them. Coefficients: minimax in relative error, by Remez exchange, rounded to float.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>

#include "solopo/core/config.hpp"

namespace solopo {

namespace float_detail {

// (std::bit_cast is no device function.)
SOLOPO_HD constexpr std::uint32_t bits(float x) noexcept { return __builtin_bit_cast(std::uint32_t, x); }
SOLOPO_HD constexpr float of_bits(std::uint32_t b) noexcept { return __builtin_bit_cast(float, b); }

// ln 2^-126: e^x below it is no normal number.
inline constexpr float least_exponent = -87.33654f;

// e^x = scale (1 + s), s in [-0.3, 0.42], scale a power of two; s = x to the last place near 0. x <= 0.
struct Exponential {
  float scale, s;
};

SOLOPO_HD constexpr Exponential split_exp(float x) noexcept {
  const float c = x < least_exponent ? least_exponent : x;
  const int n = static_cast<int>(c * 1.44269504f - 0.5f);
  const float k = static_cast<float>(n);
  // ln 2 in two parts; the first has 9 bits, so that k times it is exact.
  const float r = (c - k * 0.693359375f) - k * -2.12194440e-4f;
  float q = 1.3814558e-3f;
  q = q * r + 8.36874545e-3f;
  q = q * r + 4.1668389e-2f;
  q = q * r + 1.66665211e-1f;
  q = q * r + 4.9999994e-1f;
  return {of_bits(static_cast<std::uint32_t>(n + 127) << 23), r + r * r * q};
}

// ln(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1], 5e-9 before rounding.
SOLOPO_HD constexpr float log1p_near_0(float f) noexcept {
  float q = -7.62551427e-2f;
  q = q * f + 1.29074246e-1f;
  q = q * f - 1.32430315e-1f;
  q = q * f + 1.41813934e-1f;
  q = q * f - 1.6609025e-1f;
  q = q * f + 2.00019926e-1f;
  q = q * f - 2.50015855e-1f;
  q = q * f + 3.33333254e-1f;
  q = q * f - 4.99999881e-1f;
  return f + f * f * q;
}

inline constexpr float ln2 = 0.693147181f;

// ln q for 0 < q < 1.
SOLOPO_HD constexpr float log_below_1(float q) noexcept {
  const bool tiny = q < 0x1p-100f;  // perhaps without a leading bit
  const std::uint32_t b = bits(tiny ? q * 0x1p24f : q);
  // q = 2^k m, m in [sqrt(1/2), sqrt(2)).
  const auto k = static_cast<std::int32_t>(b - 0x3f3504f3U) >> 23;
  const float m = of_bits(b - (static_cast<std::uint32_t>(k) << 23));
  return static_cast<float>(tiny ? k - 24 : k) * ln2 + log1p_near_0(m - 1.0f);
}

}  // namespace float_detail

// e^x for x <= 0; float: 1.1 ulp, and 0 where e^x would be below 2^-126.
template <std::floating_point T>
SOLOPO_HD inline T exp_nonpositive(T x) noexcept {
  if constexpr (std::same_as<T, float>) {
    const float_detail::Exponential e = float_detail::split_exp(x);
    return x < float_detail::least_exponent ? 0.0f : e.scale * (1.0f + e.s);
  } else {
    using std::exp;
    return exp(x);
  }
}

// e^x - 1 for x <= 0; float: 1.5 ulp.
template <std::floating_point T>
SOLOPO_HD inline T expm1_nonpositive(T x) noexcept {
  if constexpr (std::same_as<T, float>) {
    const float_detail::Exponential e = float_detail::split_exp(x);
    return (e.scale - 1.0f) + e.scale * e.s;
  } else {
    using std::expm1;
    return expm1(x);
  }
}

// ln(1 + y) for y in [0, 1]; float: 1.6 ulp.
template <std::floating_point T>
SOLOPO_HD inline T log1p_unit(T y) noexcept {
  if constexpr (std::same_as<T, float>) {
    // Above sqrt(2) - 1: ln 2 + ln((1 + y) / 2).
    const bool upper = y > 0.414213562f;
    return (upper ? float_detail::ln2 : 0.0f) + float_detail::log1p_near_0(upper ? (y - 1.0f) * 0.5f : y);
  } else {
    using std::log1p;
    return log1p(y);
  }
}

}  // namespace solopo
