// The link of IPO. (The distance of the same shape is solopo::Squared.)
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::links {

// f(z) = ((z - target) / width)^2, width > 0. Zero at the target, slope 2 (z - target) / width^2 on both
// sides: a margin beyond the target costs as much as one short of it.
struct Squared {
  float target = 1.0f;
  float width = 1.0f;

  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD constexpr T value(T z) const noexcept {
    const T d = (z - T(target)) / T(width);
    return d * d;
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T z) const noexcept {
    return T(2) * ((z - T(target)) / T(width)) / T(width);
  }
};

static_assert(ConvexLink<Squared>);

}  // namespace solopo::links
