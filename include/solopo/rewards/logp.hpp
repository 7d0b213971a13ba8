// The reward of CPO.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::rewards {

// r = beta log pi, summed over the tokens. arXiv 2401.08417. Slope beta.
struct Logp {
  float beta = 0.1f;

  static constexpr bool reads_reference = false;
  static constexpr bool per_token = false;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    return T(beta) * y.logp;
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>&) const noexcept {
    return T(beta);
  }
};

static_assert(ImplicitReward<Logp>);

}  // namespace solopo::rewards
