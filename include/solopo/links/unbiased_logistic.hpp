// The link of robust DPO.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo::links {

// f(z) = [-(1 - e) ln sigmoid(z) + e ln sigmoid(-z)] / (1 - 2 e), e = label_smoothing in [0, 0.5): its mean
// over labels of which a share e is flipped is the logistic link's. Computed as softplus(-z) - e / (1 - 2 e)
// z, hence convex; negative for large z. Slope in [-1 - e / (1 - 2 e), -e / (1 - 2 e)].
struct UnbiasedLogistic {
  float label_smoothing = 0.1f;

  static constexpr bool is_convex = true;

  template <class T>
  SOLOPO_HD T value(T z) const noexcept {
    return softplus(-z) - tilt<T>() * z;
  }
  template <class T>
  SOLOPO_HD T slope(T z) const noexcept {
    return -tilt<T>() - sigmoid(-z);
  }

 private:
  template <class T>
  SOLOPO_HD constexpr T tilt() const noexcept {
    return T(label_smoothing) / (T(1) - T(2) * T(label_smoothing));
  }
};

static_assert(ConvexLink<UnbiasedLogistic>);

}  // namespace solopo::links
