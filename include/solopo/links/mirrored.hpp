// A link for a reward that should fall.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo::links {

// f(-z) for a link f; convex when f is.
template <Link F>
struct Mirrored {
  F link{};

  static constexpr bool is_convex = ConvexLink<F>;

  template <class T>
  SOLOPO_HD constexpr T value(T z) const noexcept {
    return link.value(-z);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T z) const noexcept {
    return -link.slope(-z);
  }
};

}  // namespace solopo::links
