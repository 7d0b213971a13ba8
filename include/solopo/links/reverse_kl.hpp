// The link of EXO.
#pragma once

#include <cmath>

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::links {

// f(z) = q ln(q / (1 - e)) + (1 - q) ln((1 - q) / e) with q = sigmoid(z), e in (0, 1): the reverse
// Kullback-Leibler divergence from labels of which a share e is flipped. Least, 0, at z = ln((1 - e) / e);
// goes to -ln(1 - e) for large z and to -ln e for very negative z. Slope q (1 - q) (z - ln((1 - e) / e)). Not
// convex.
struct ReverseKL {
  float label_smoothing = 1e-3f;

  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    using std::log;
    const T e = T(label_smoothing), q = sigmoid(z), rest = sigmoid(-z);
    return q * (-softplus(-z) - log(T(1) - e)) + rest * (-softplus(z) - log(e));
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    using std::log;
    const T e = T(label_smoothing);
    return sigmoid(z) * sigmoid(-z) * (z - (log(T(1) - e) - log(e)));
  }
};

static_assert(Link<ReverseKL> && !ConvexLink<ReverseKL>);

}  // namespace solopo::links
