// The link of SLiC and RSO.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::links {

// f(z) = max(0, 1 - z). Slope -1 below 1, 0 above; at the kink z = 1 the subgradient 0.
struct Hinge {
  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD constexpr T value(T z) const noexcept {
    return z < T(1) ? T(1) - z : T(0);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T z) const noexcept {
    return z < T(1) ? T(-1) : T(0);
  }
};

static_assert(ConvexLink<Hinge>);

}  // namespace solopo::links
