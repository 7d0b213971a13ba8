// The logistic link when a share of the labels is taken to be flipped.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::links {

// f(z) = -(1 - e) ln sigmoid(z) - e ln sigmoid(-z), computed as softplus(-z) + e z. e in [0, 0.5]: at 0 it is
// Logistic bit by bit, at 0.5 it is even with its minimum ln 2 at 0. Slope in [e - 1, e].
struct SmoothedLogistic {
  float label_smoothing = 0.0f;

  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    return softplus(-z) + T(label_smoothing) * z;
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    return T(label_smoothing) - sigmoid(-z);
  }
};

static_assert(ConvexLink<SmoothedLogistic>);

}  // namespace solopo::links
