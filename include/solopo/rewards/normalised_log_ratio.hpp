// The reward of IPO, in its two readings.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo {

// Whether a response's log-probability is divided by its number of tokens.
enum class Normalise { mean, sum };
inline constexpr const char* normalise_names[] = {"mean", "sum"};

}  // namespace solopo

namespace solopo::rewards {

// r = beta (log pi - log ref), divided by n (>= 1) for `mean`. Slope beta, or beta / n.
struct NormalisedLogRatio {
  float beta = 0.1f;
  Normalise normalise = Normalise::mean;

  static constexpr bool reads_reference = true;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    const T sum = y.logp - y.ref_logp;
    return T(beta) * (normalise == Normalise::mean ? sum / y.length : sum);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>& y) const noexcept {
    return normalise == Normalise::mean ? T(beta) / y.length : T(beta);
  }
};

static_assert(ImplicitReward<NormalisedLogRatio>);

}  // namespace solopo::rewards
