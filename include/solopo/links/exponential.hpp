// The steepest of the usual links; one member of the family of generalised preference optimisation.
#pragma once

#include <cmath>

#include "solopo/core/concepts.hpp"

namespace solopo::links {

// f(z) = e^-z (arXiv 2402.05749, table 1). Below `linear_below` it goes on as its tangent, so that it stays
// finite, convex and continuously differentiable: e^60 = 1.1e26 times a margin of 1e4 still fits a float.
struct Exponential {
  static constexpr float linear_below = -60.0f;

  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    using std::exp;
    const T start = T(linear_below);
    return z < start ? exp(-start) * (T(1) + start - z) : exp(-z);
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    using std::exp;
    return -exp(-(z < T(linear_below) ? T(linear_below) : z));
  }
};

static_assert(ConvexLink<Exponential>);

}  // namespace solopo::links
