// The link of SimPER: the margin itself.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::links {

// f(z) = -z, slope -1.
struct Linear {
  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD constexpr T value(T z) const noexcept {
    return -z;
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T) const noexcept {
    return T(-1);
  }
};

static_assert(ConvexLink<Linear>);

}  // namespace solopo::links
