// The link of DPO, SimPO and ORPO.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::links {

// f(z) = -ln sigmoid(z) = softplus(-z). ln 2 at 0, -z for very negative z, e^-z for large z. Slope in [-1,
// 0].
struct Logistic {
  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    return softplus(-z);
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    return -sigmoid(-z);
  }
};

static_assert(ConvexLink<Logistic>);

}  // namespace solopo::links
