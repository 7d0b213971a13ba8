// The reward of DPO and of most objectives with a reference model.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::rewards {

// r = beta (log pi - log ref), summed over the tokens. arXiv 2305.18290, eq. 5 without its partition
// function, which cancels in a margin. Defined for all finite log-probabilities; slope beta everywhere.
struct LogRatio {
  float beta = 0.1f;

  static constexpr bool reads_reference = true;
  static constexpr bool per_token = false;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    return T(beta) * (y.logp - y.ref_logp);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>&) const noexcept {
    return T(beta);
  }
};

static_assert(ImplicitReward<LogRatio>);

}  // namespace solopo::rewards
