// The reward of TPO, in its two readings.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/rewards/logp.hpp"
#include "solopo/rewards/mean_logp.hpp"
#include "solopo/rewards/normalised_log_ratio.hpp"

namespace solopo::rewards {

// MeanLogp or Logp.
struct NormalisedLogp {
  float beta = 0.01f;
  Normalise normalise = Normalise::sum;

  static constexpr bool reads_reference = false;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    return normalise == Normalise::mean ? MeanLogp{beta}.value(y) : Logp{beta}.value(y);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>& y) const noexcept {
    return normalise == Normalise::mean ? MeanLogp{beta}.slope(y) : Logp{beta}.slope(y);
  }
};

static_assert(ImplicitReward<NormalisedLogp>);

}  // namespace solopo::rewards
