// The reward of IPO, in its two readings.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/rewards/log_ratio.hpp"
#include "solopo/rewards/mean_log_ratio.hpp"

namespace solopo {

// Whether a response's log-probability is divided by its number of tokens.
enum class Normalise { mean, sum };
inline constexpr const char* normalise_names[] = {"mean", "sum"};

}  // namespace solopo

namespace solopo::rewards {

// MeanLogRatio or LogRatio.
struct NormalisedLogRatio {
  float beta = 0.1f;
  Normalise normalise = Normalise::mean;

  static constexpr bool reads_reference = true;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    return normalise == Normalise::mean ? MeanLogRatio{beta}.value(y) : LogRatio{beta}.value(y);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>& y) const noexcept {
    return normalise == Normalise::mean ? MeanLogRatio{beta}.slope(y) : LogRatio{beta}.slope(y);
  }
};

static_assert(ImplicitReward<NormalisedLogRatio>);

}  // namespace solopo::rewards
