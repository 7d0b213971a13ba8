// The reward of IPO on per-token averages.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::rewards {

// r = beta (log pi - log ref) / n, n the number of response tokens (>= 1). Slope beta / n.
struct MeanLogRatio {
  float beta = 0.1f;

  static constexpr bool reads_reference = true;
  static constexpr bool per_token = true;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    return T(beta) * ((y.logp - y.ref_logp) / y.length);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>& y) const noexcept {
    return T(beta) / y.length;
  }
};

static_assert(ImplicitReward<MeanLogRatio>);

}  // namespace solopo::rewards
