// The reward of AlphaPO.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::rewards {

// r = beta (1 - p^-a) / a with p = e^(log pi / n), n >= 1; beta log pi / n at a = 0. arXiv 2501.03884. a > 0
// punishes unlikely responses harder than SimPO, a < 0 less. p^-a goes on as its tangent where its exponent
// passes 30. Slope beta p^-a / n.
struct AlphaLikelihood {
  float beta = 2.5f;
  float a = 0.0f;

  static constexpr bool reads_reference = false;
  static constexpr bool per_token = true;

  template <class T>
  SOLOPO_HD T value(const Response<T>& y) const noexcept {
    const T x = y.logp / y.length;
    return a == 0.0f ? T(beta) * x : -T(beta) * expm1_or_tangent(-T(a) * x) / T(a);
  }
  template <class T>
  SOLOPO_HD T slope(const Response<T>& y) const noexcept {
    return T(beta) * expm1_or_tangent_slope(-T(a) * (y.logp / y.length)) / y.length;
  }
};

static_assert(ImplicitReward<AlphaLikelihood>);

}  // namespace solopo::rewards
