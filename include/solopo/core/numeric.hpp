// Scalar functions written so that no finite argument of their domain overflows or cancels. They branch on
// comparisons of finite numbers only, so -ffast-math does not break them. Errors are the largest measured
// against long double with glibc 2.36, in units of the last place of the result's type.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>

#include "solopo/core/config.hpp"
#include "solopo/core/float_exp.hpp"
#include "solopo/core/select.hpp"

namespace solopo {

// ln(1 + e^x), for any finite x; <= 2 ulp. ln 2 at 0, x for large x, e^x for very negative x.
template <std::floating_point T>
SOLOPO_HD inline T softplus(T x) noexcept {
  using std::abs;
  return select(x > T(0), x, T(0)) + log1p_unit(exp_nonpositive(-abs(x)));
}

// 1 / (1 + e^-x), for any finite x; <= 3 ulp. The derivative of softplus.
template <std::floating_point T>
SOLOPO_HD inline T sigmoid(T x) noexcept {
  using std::abs;
  const T e = exp_nonpositive(-abs(x));
  return select(x >= T(0), T(1), e) / (T(1) + e);
}

// ln sigmoid(x) = -softplus(-x), for any finite x.
template <std::floating_point T>
SOLOPO_HD inline T log_sigmoid(T x) noexcept {
  return -softplus(-x);
}

// ln(1 - e^x) for x < 0; <= 2 ulp. Two forms that meet at x = -ln 2: the first keeps the digits of 1 - e^x
// when e^x is close to 1, the second those of the logarithm when e^x is small. Minus infinity at 0, NaN
// above; callers that can reach 0 clamp first (rewards/log_odds.hpp).
template <std::floating_point T>
SOLOPO_HD inline T log1mexp(T x) noexcept {
  if constexpr (std::same_as<T, float>) {
    // Minus infinity, and NaN.
    const float outside =
        select(x == 0.0f, float_detail::of_bits(0xff800000U), float_detail::of_bits(0x7fc00000U));
    return select(x < 0.0f, float_detail::log1mexp(x), outside);
  } else {
    using std::exp, std::expm1, std::log, std::log1p;
    constexpr T minus_ln2 = T(-0.69314718055994530942);
    return x > minus_ln2 ? log(-expm1(x)) : log1p(-exp(x));
  }
}

// e^x - 1 up to x = 30, from there on its tangent: rising, convex and smooth; e^30 = 1.1e13 times an argument
// of 1e4 and a scale of 100 still fits a float when squared. For rewards that are exponentials of a
// log-probability.
inline constexpr float exp_tangent_from = 30.0f;
template <class T>
SOLOPO_HD inline T expm1_or_tangent(T x) noexcept {
  using std::exp, std::expm1;
  const T start = T(exp_tangent_from);
  return x > start ? expm1(start) + exp(start) * (x - start) : expm1(x);
}

// The derivative of expm1_or_tangent.
template <class T>
SOLOPO_HD inline T expm1_or_tangent_slope(T x) noexcept {
  using std::exp;
  return exp(x > T(exp_tangent_from) ? T(exp_tangent_from) : x);
}

// a - b, and exactly 0 when a equals b. Written out, a difference of two products may be fused by the
// compiler into the one product's rounding error, which the absolute value would turn into a full gradient.
template <class T>
SOLOPO_HD constexpr T exact_difference(const T& a, const T& b) noexcept {
  if constexpr (std::floating_point<T>) {
    return select(a == b, T(0), a - b);
  } else {
    return a - b;
  }
}

// Neither NaN nor infinite. Looks at the bits, so it also tells under -ffast-math.
template <std::floating_point T>
SOLOPO_HD constexpr bool is_finite(T x) noexcept {
  if constexpr (sizeof(T) == sizeof(std::uint32_t)) {
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7f800000U) != 0x7f800000U;
  } else {
    static_assert(sizeof(T) == sizeof(std::uint64_t), "float or double");
    return (__builtin_bit_cast(std::uint64_t, x) & 0x7ff0000000000000ULL) != 0x7ff0000000000000ULL;
  }
}

}  // namespace solopo
