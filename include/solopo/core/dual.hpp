// Forward-mode dual numbers: a value with its derivatives in N directions, carried through every operation.
#pragma once

#include <cmath>
#include <type_traits>

#include "solopo/core/config.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo {

// A + B mixes duals and plain numbers. Comparisons look at the value alone. Where a function has a kink (abs,
// max, min) each direction takes the derivative of least magnitude among those of the two sides, so 0 for |x|
// at 0.
template <class T, int N = 1>
struct Dual {
  T value{};
  T slope[N]{};

  Dual() = default;
  template <class U>
  requires std::is_arithmetic_v<U> SOLOPO_HD constexpr Dual(U x) noexcept : value(static_cast<T>(x)) {}

  // The variable of direction `direction`.
  SOLOPO_HD static constexpr Dual variable(T x, int direction = 0) noexcept {
    Dual d(x);
    d.slope[direction] = T(1);
    return d;
  }

  // f(x) given the value of f and of its derivative there.
  SOLOPO_HD constexpr Dual chain(T f, T derivative) const noexcept {
    Dual d(f);
    for (int i = 0; i < N; ++i) d.slope[i] = derivative * slope[i];
    return d;
  }

  SOLOPO_HD friend constexpr Dual operator-(const Dual& a) noexcept { return a.chain(-a.value, T(-1)); }
  SOLOPO_HD friend constexpr Dual operator+(const Dual& a, const Dual& b) noexcept {
    Dual d(a.value + b.value);
    for (int i = 0; i < N; ++i) d.slope[i] = a.slope[i] + b.slope[i];
    return d;
  }
  SOLOPO_HD friend constexpr Dual operator-(const Dual& a, const Dual& b) noexcept {
    Dual d(a.value - b.value);
    for (int i = 0; i < N; ++i) d.slope[i] = a.slope[i] - b.slope[i];
    return d;
  }
  SOLOPO_HD friend constexpr Dual operator*(const Dual& a, const Dual& b) noexcept {
    Dual d(a.value * b.value);
    for (int i = 0; i < N; ++i) d.slope[i] = a.slope[i] * b.value + a.value * b.slope[i];
    return d;
  }
  SOLOPO_HD friend constexpr Dual operator/(const Dual& a, const Dual& b) noexcept {
    Dual d(a.value / b.value);
    for (int i = 0; i < N; ++i) d.slope[i] = (a.slope[i] - d.value * b.slope[i]) / b.value;
    return d;
  }
  SOLOPO_HD constexpr Dual& operator+=(const Dual& b) noexcept { return *this = *this + b; }
  SOLOPO_HD constexpr Dual& operator-=(const Dual& b) noexcept { return *this = *this - b; }
  SOLOPO_HD constexpr Dual& operator*=(const Dual& b) noexcept { return *this = *this * b; }
  SOLOPO_HD constexpr Dual& operator/=(const Dual& b) noexcept { return *this = *this / b; }

  SOLOPO_HD friend constexpr bool operator<(const Dual& a, const Dual& b) noexcept {
    return a.value < b.value;
  }
  SOLOPO_HD friend constexpr bool operator>(const Dual& a, const Dual& b) noexcept {
    return a.value > b.value;
  }
  SOLOPO_HD friend constexpr bool operator<=(const Dual& a, const Dual& b) noexcept {
    return a.value <= b.value;
  }
  SOLOPO_HD friend constexpr bool operator>=(const Dual& a, const Dual& b) noexcept {
    return a.value >= b.value;
  }
  SOLOPO_HD friend constexpr bool operator==(const Dual& a, const Dual& b) noexcept {
    return a.value == b.value;
  }

  SOLOPO_HD friend Dual exp(const Dual& a) noexcept {
    const T e = std::exp(a.value);
    return a.chain(e, e);
  }
  SOLOPO_HD friend Dual expm1(const Dual& a) noexcept {
    return a.chain(std::expm1(a.value), std::exp(a.value));
  }
  SOLOPO_HD friend Dual expm1_nonpositive(const Dual& a) noexcept {
    return a.chain(solopo::expm1_nonpositive(a.value), solopo::exp_nonpositive(a.value));
  }
  SOLOPO_HD friend Dual log(const Dual& a) noexcept { return a.chain(std::log(a.value), T(1) / a.value); }
  SOLOPO_HD friend Dual log1p(const Dual& a) noexcept {
    return a.chain(std::log1p(a.value), T(1) / (T(1) + a.value));
  }
  SOLOPO_HD friend Dual sqrt(const Dual& a) noexcept {
    const T r = std::sqrt(a.value);
    return a.chain(r, T(0.5) / r);
  }
  SOLOPO_HD friend Dual tanh(const Dual& a) noexcept {
    const T t = std::tanh(a.value);
    return a.chain(t, T(1) - t * t);
  }
  // The exponent is a plain number.
  SOLOPO_HD friend Dual pow(const Dual& a, T exponent) noexcept {
    return a.chain(std::pow(a.value, exponent), exponent * std::pow(a.value, exponent - T(1)));
  }
  SOLOPO_HD friend constexpr Dual abs(const Dual& a) noexcept {
    return a.chain(a.value < T(0) ? -a.value : a.value, a.value > T(0)   ? T(1)
                                                        : a.value < T(0) ? T(-1)
                                                                         : T(0));
  }
  SOLOPO_HD friend constexpr Dual max(const Dual& a, const Dual& b) noexcept {
    return a.value > b.value ? a : b.value > a.value ? b : least_slopes(a, b);
  }
  SOLOPO_HD friend constexpr Dual min(const Dual& a, const Dual& b) noexcept {
    return a.value < b.value ? a : b.value < a.value ? b : least_slopes(a, b);
  }
  SOLOPO_HD friend Dual softplus(const Dual& a) noexcept {
    return a.chain(solopo::softplus(a.value), solopo::sigmoid(a.value));
  }
  SOLOPO_HD friend Dual sigmoid(const Dual& a) noexcept {
    const T s = solopo::sigmoid(a.value);
    return a.chain(s, s * solopo::sigmoid(-a.value));
  }
  SOLOPO_HD friend Dual log_sigmoid(const Dual& a) noexcept {
    return a.chain(solopo::log_sigmoid(a.value), solopo::sigmoid(-a.value));
  }
  SOLOPO_HD friend Dual log1mexp(const Dual& a) noexcept {
    return a.chain(solopo::log1mexp(a.value), T(1) + T(1) / std::expm1(a.value));
  }

 private:
  // At a tie: in each direction the number nearest to 0 between the two slopes.
  SOLOPO_HD static constexpr Dual least_slopes(const Dual& a, const Dual& b) noexcept {
    Dual d(a.value);
    for (int i = 0; i < N; ++i) {
      const T x = a.slope[i], y = b.slope[i];
      if (x > T(0) && y > T(0)) d.slope[i] = x < y ? x : y;
      if (x < T(0) && y < T(0)) d.slope[i] = x > y ? x : y;
    }
    return d;
  }
};

}  // namespace solopo
