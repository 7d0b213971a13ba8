// The link of DiscoPOP, found by search rather than derived.
#pragma once

#include <cmath>

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::links {

// f(z) = (1 - m) (-ln sigmoid(z)) + m e^-z with m = sigmoid(z / tau), 0 < tau <= 1. arXiv 2406.08414. m e^-z
// is computed as one exponential, whose exponent is at most 0 for such tau: finite for any finite z. Not
// convex.
struct LogRatioModulated {
  float tau = 0.05f;

  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    return sigmoid(-z / T(tau)) * softplus(-z) + damped_exponential(z);
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    const T m = sigmoid(z / T(tau)), rest = sigmoid(-z / T(tau)), e = damped_exponential(z);
    return -m * rest / T(tau) * softplus(-z) - rest * sigmoid(-z) + rest / T(tau) * e - e;
  }

 private:
  // m e^-z
  template <class T>
  SOLOPO_HD T damped_exponential(T z) const noexcept {
    using std::exp;
    return exp(-softplus(-z / T(tau)) - z);
  }
};

static_assert(Link<LogRatioModulated> && !ConvexLink<LogRatioModulated>);

}  // namespace solopo::links
