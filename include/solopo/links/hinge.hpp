// The link of SLiC and RSO, and of RePO.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::links {

// f(z) = max(0, target - z). Slope -1 below the target, 0 above; at the kink z = target the subgradient 0.
struct Hinge {
  float target = 1.0f;

  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD constexpr T value(T z) const noexcept {
    return z < T(target) ? T(target) - z : T(0);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T z) const noexcept {
    return z < T(target) ? T(-1) : T(0);
  }
};

static_assert(ConvexLink<Hinge>);

}  // namespace solopo::links
