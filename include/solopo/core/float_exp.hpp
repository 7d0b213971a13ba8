// Exponential and logarithm of a float without a branch or a call, so that a loop over them is vectorised; a
// double's are the standard library's. Errors are the largest measured over all floats of the range against
// double, in units of the last place; under -ffast-math, which reorders the reduction by ln 2, e^x is right
// to 64 of them. Coefficients: minimax in relative error, by Remez exchange, rounded to
// float; summed as a tree, since a chain of nine products would be waited for.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>

#include "solopo/core/config.hpp"
#include "solopo/core/select.hpp"

namespace solopo {

namespace float_detail {

// (std::bit_cast is no device function.)
SOLOPO_HD constexpr std::uint32_t bits(float x) noexcept { return __builtin_bit_cast(std::uint32_t, x); }
SOLOPO_HD constexpr float of_bits(std::uint32_t b) noexcept { return __builtin_bit_cast(float, b); }

// ln 2^-126: e^x below it is no normal number.
inline constexpr float least_exponent = -87.33654f;

// e^x = scale (1 + s) for x <= 0: s in [-0.3, 0.42], scale a power of two or, where e^x is below 2^-126, 0.
// Near 0 s is x to the last place.
struct Exponential {
  float scale, s;
};

SOLOPO_HD constexpr Exponential split_exp(float x) noexcept {
  const bool below = x < least_exponent;
  const float c = select(below, least_exponent, x);
  // NaN, which has no int, goes on in c alone.
  const int n = static_cast<int>(select(x > least_exponent, x, least_exponent) * 1.44269504f - 0.5f);
  const float k = static_cast<float>(n);
  // ln 2 in two parts; the first has 9 bits, so that k times it is exact.
  const float r = (c - k * 0.693359375f) - k * -2.12194440e-4f;
  const float r2 = r * r;
  const float q =
      (4.9999994e-1f + 1.66665211e-1f * r) + r2 * ((4.1668389e-2f + 8.36874545e-3f * r) + r2 * 1.3814558e-3f);
  const float scale = of_bits(static_cast<std::uint32_t>(n + 127) << 23);
  return {select(below, 0.0f, scale), r + r2 * q};
}

// ln(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1], 5e-9 before rounding.
SOLOPO_HD constexpr float log1p_near_0(float f) noexcept {
  const float f2 = f * f, f4 = f2 * f2;
  const float q0 = (-4.99999881e-1f + 3.33333254e-1f * f) + f2 * (-2.50015855e-1f + 2.00019926e-1f * f);
  const float q4 = (-1.6609025e-1f + 1.41813934e-1f * f) + f2 * (-1.32430315e-1f + 1.29074246e-1f * f);
  const float q = q0 + f4 * (q4 + f4 * -7.62551427e-2f);
  return f + f2 * q;
}

inline constexpr float ln2 = 0.693147181f;

// e^x - 1 for x <= 0.
SOLOPO_HD constexpr float expm1_of(Exponential e) noexcept {
  return select(e.scale == 1.0f, e.s, (e.scale - 1.0f) + e.scale * e.s);
}

// ln q for 0 < q < 1, or ln(q + rest) where q holds no more digits and is at least 1/4.
SOLOPO_HD constexpr float log_below_1(float q, float rest = 0.0f) noexcept {
  const bool tiny = q < 0x1p-100f;  // perhaps without a leading bit
  const std::uint32_t b = bits(q * select(tiny, 0x1p24f, 1.0f));
  // q = 2^k m, m in [sqrt(1/2), sqrt(2)).
  const auto k = static_cast<std::int32_t>(b - 0x3f3504f3U) >> 23;
  const float m = of_bits(b - (static_cast<std::uint32_t>(k) << 23));
  const float log_m = log1p_near_0((m - 1.0f) + 2.0f * rest);
  return (static_cast<float>(k) - select(tiny, 24.0f, 0.0f)) * ln2 + log_m;
}

// ln(1 - e^x) for x < 0, with both forms computed; they meet where e^x = 1 - sqrt(1/2).
SOLOPO_HD constexpr float log1mexp(float x) noexcept {
  const Exponential e = split_exp(x);
  const float q = -expm1_of(e);
  const float lost = ((1.0f - e.scale) - q) - e.scale * e.s;  // of q's digits
  return select(q > 0.70710678f, log1p_near_0(-(e.scale * (1.0f + e.s))), log_below_1(q, lost));
}

}  // namespace float_detail

// e^x for x <= 0; float: 1.1 ulp, and 0 where e^x would be below 2^-126.
template <std::floating_point T>
SOLOPO_HD inline T exp_nonpositive(T x) noexcept {
  if constexpr (std::same_as<T, float>) {
    const float_detail::Exponential e = float_detail::split_exp(x);
    return e.scale * (1.0f + e.s);
  } else {
    using std::exp;
    return exp(x);
  }
}

// e^x - 1 for x <= 0; float: 1.5 ulp.
template <std::floating_point T>
SOLOPO_HD inline T expm1_nonpositive(T x) noexcept {
  if constexpr (std::same_as<T, float>) {
    return float_detail::expm1_of(float_detail::split_exp(x));
  } else {
    using std::expm1;
    return expm1(x);
  }
}

// ln(1 + y) for y in [0, 1]; float: 1.4 ulp.
template <std::floating_point T>
SOLOPO_HD inline T log1p_unit(T y) noexcept {
  if constexpr (std::same_as<T, float>) {
    // 2 artanh(s), s = y / (2 + y) in [0, 1/3]; 2 s is y - s y.
    const float s = y / (2.0f + y), u = s * s, u2 = u * u;
    const float p = (3.333332e-1f + 2.000378e-1f * u) + u2 * (1.411831e-1f + 1.342575e-1f * u);
    return y - s * (y - 2.0f * u * p);
  } else {
    using std::log1p;
    return log1p(y);
  }
}

}  // namespace solopo
