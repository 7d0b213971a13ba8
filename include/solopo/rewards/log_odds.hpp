// The reward of ORPO.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::rewards {

// r = ln(p / (1 - p)) with p = e^x and x = log pi / n, the mean log-probability of a token (n >= 1).
// arXiv 2403.07691, eq. 4. As x -> 0 the odds grow without bound, so x is clamped at -eps: the reward never
// exceeds ln(1/eps) = 13.8 and is never NaN, also when rounding makes x positive. Slope 1 / (n (1 - p)), and
// 0 where the clamp acts (the derivative of the clamped function).
struct LogOdds {
  static constexpr float eps = 1e-6f;

  static constexpr bool reads_reference = false;
  static constexpr bool per_token = true;

  template <class T>
  SOLOPO_HD T value(const Response<T>& y) const noexcept {
    const T x = select(clamped(y), T(-eps), y.logp / y.length);
    return x - log1mexp(x);
  }
  template <class T>
  SOLOPO_HD T slope(const Response<T>& y) const noexcept {
    const bool flat = clamped(y);
    const T x = select(flat, T(-eps), y.logp / y.length);
    return select(flat, T(0), T(-1) / (expm1_nonpositive(x) * y.length));
  }
  // Whether the clamp acts on this response; batch metrics count it.
  template <class T>
  SOLOPO_HD bool clamped(const Response<T>& y) const noexcept {
    return y.logp / y.length > T(-eps);
  }
};

static_assert(ImplicitReward<LogOdds>);

}  // namespace solopo::rewards
