// The reward of SimPER.
#pragma once

#include <cmath>

#include "solopo/core/concepts.hpp"

namespace solopo::rewards {

// r = e^(log pi / n), n >= 1: the geometric mean of the tokens' probabilities, in (0, 1]. Slope r / n.
struct InversePerplexity {
  static constexpr bool reads_reference = false;
  static constexpr bool per_token = true;

  template <class T>
  SOLOPO_HD T value(const Response<T>& y) const noexcept {
    using std::exp;
    return exp(y.logp / y.length);
  }
  template <class T>
  SOLOPO_HD T slope(const Response<T>& y) const noexcept {
    return value(y) / y.length;
  }
};

static_assert(ImplicitReward<InversePerplexity>);

}  // namespace solopo::rewards
