// The link of APO and KTO.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::links {

// f(z) = 1 - sigmoid(z) = sigmoid(-z), in [0, 1]: a pair that is far on either side no longer trains.
// Slope in [-1/4, 0]. Not convex.
struct Saturating {
  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    return sigmoid(-z);
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    return -sigmoid(z) * sigmoid(-z);
  }
};

static_assert(Link<Saturating> && !ConvexLink<Saturating>);

}  // namespace solopo::links
