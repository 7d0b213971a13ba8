// How far apart a response's rewards under the short and the long prompt are: s(d) of short-to-long reward
// alignment (arXiv 2505.11166). Each is convex, even and zero at zero.
#pragma once

#include <cmath>

#include "solopo/core/concepts.hpp"
#include "solopo/core/select.hpp"

namespace solopo {

// s(d) = |d|, the paper's choice. At the kink d = 0 the subgradient 0.
struct Absolute {
  static constexpr bool is_convex = true, is_distance = true;

  template <class T>
  SOLOPO_HD T value(T d) const noexcept {
    using std::abs;
    return abs(d);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T d) const noexcept {
    return select(d > T(0), T(1), select(d < T(0), T(-1), T(0)));
  }
};

// s(d) = d^2.
struct Squared {
  static constexpr bool is_convex = true, is_distance = true;

  template <class T>
  SOLOPO_HD constexpr T value(T d) const noexcept {
    return d * d;
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T d) const noexcept {
    return T(2) * d;
  }
};

// s(d) = d^2 / 2 up to |d| = delta, then delta (|d| - delta / 2). delta > 0.
struct Huber {
  float delta = 1.0f;

  static constexpr bool is_convex = true, is_distance = true;

  template <class T>
  SOLOPO_HD T value(T d) const noexcept {
    using std::abs;
    const T a = abs(d), k = T(delta);
    return select(a <= k, a * a / T(2), k * (a - k / T(2)));
  }
  template <class T>
  SOLOPO_HD constexpr T slope(T d) const noexcept {
    const T k = T(delta);
    return select(d > k, k, select(d < -k, -k, d));
  }
};

static_assert(Distance<Absolute> && Distance<Squared> && Distance<Huber>);

}  // namespace solopo
