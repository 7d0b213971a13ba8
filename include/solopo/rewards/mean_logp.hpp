// The reward of SimPO, and with beta = 1 that of supervised fine-tuning.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::rewards {

// r = beta log pi / n, n the number of response tokens (>= 1). arXiv 2405.14734, eq. 4. Slope beta / n.
struct MeanLogp {
  float beta = 1.0f;

  static constexpr bool reads_reference = false;
  static constexpr bool per_token = true;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    return T(beta) * (y.logp / y.length);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>& y) const noexcept {
    return T(beta) / y.length;
  }
};

static_assert(ImplicitReward<MeanLogp>);

}  // namespace solopo::rewards
