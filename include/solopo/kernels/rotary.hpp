// Rotary position embedding (arXiv 2104.09864), half-split as Hugging Face's llama has it: element i of a
// head is rotated with element i + d/2 by the angle position * theta^(-2 i / d).
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "solopo/core/config.hpp"
#include "solopo/kernels/number.hpp"

namespace solopo::kernels {

// cos and sin for positions [0, n), each row (d/2) long.
template <class T>
class RotaryTable {
 public:
  RotaryTable() = default;
  RotaryTable(int positions, int head_dim, double theta) : half_(head_dim / 2) {
    cos_.resize(static_cast<std::size_t>(positions) * half_);
    sin_.resize(cos_.size());
    for (int i = 0; i < half_; ++i) {
      // Frequencies and angles are rounded to T, as peers that work in float32 do.
      const T frequency = static_cast<T>(1.0 / std::pow(theta, 2.0 * i / head_dim));
      for (int p = 0; p < positions; ++p) {
        const T angle = static_cast<T>(p) * frequency;
        cos_[static_cast<std::size_t>(p) * half_ + i] = static_cast<T>(std::cos(static_cast<double>(angle)));
        sin_[static_cast<std::size_t>(p) * half_ + i] = static_cast<T>(std::sin(static_cast<double>(angle)));
      }
    }
  }
  [[nodiscard]] int positions() const noexcept {
    return half_ == 0 ? 0 : static_cast<int>(cos_.size() / half_);
  }
  [[nodiscard]] const T* cos(int position) const noexcept {
    return cos_.data() + std::size_t(position) * half_;
  }
  [[nodiscard]] const T* sin(int position) const noexcept {
    return sin_.data() + std::size_t(position) * half_;
  }

 private:
  int half_ = 0;
  std::vector<T> cos_, sin_;
};

// Rotates one head x (d) in place; direction -1 undoes it, which is also the backward of direction +1.
template <class Team, class X, class T>
SOLOPO_HD void rotary_head(const Team& team, X* x, const T* cos, const T* sin, int d, T direction) {
  const int half = d / 2;
  X* y = x + half;
  team.each(half, [&](int i) {
    const T a = x[i], b = y[i], s = direction * sin[i];
    x[i] = a * cos[i] - b * s;
    y[i] = b * cos[i] + a * s;
  });
}

}  // namespace solopo::kernels
