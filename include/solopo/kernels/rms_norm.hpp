// Root-mean-square normalisation (arXiv 1910.07467): y = x / sqrt(mean(x^2) + eps) * w.
#pragma once

#include <cmath>

#include "solopo/core/config.hpp"
#include "solopo/kernels/number.hpp"

namespace solopo::kernels {

// 1 / sqrt(mean(x^2) + eps) of one row x (n).
template <class Team, class X, class T>
SOLOPO_HD T rms_scale(const Team& team, const X* x, int n, T eps) {
  const T squares = team.template sum<T>(n, [&](int i) { return square(T(x[i])); });
  return T(1) / std::sqrt(squares / T(n) + eps);
}

// y (n) of one row x (n) and weight w (n). y may be x.
template <class Team, class X, class T>
SOLOPO_HD void rms_norm_row(const Team& team, const X* x, const X* w, X* y, int n, T eps) {
  const T scale = rms_scale(team, x, n, eps);
  team.each(n, [&](int i) { y[i] = T(x[i]) * scale * T(w[i]); });
}

// Adds dL/dx (n) given dy (n): with s the scale and m = mean(dy w x),  dx = s (dy w) - s^3 m x.
// Returns s, which the weight's gradient needs: dw[i] += dy[i] x[i] s, summed over rows by the caller.
template <class Team, class X, class T>
SOLOPO_HD T rms_norm_row_backward(const Team& team, const X* x, const X* w, const X* dy, X* dx, int n,
                                  T eps) {
  const T s = rms_scale(team, x, n, eps);
  const T dot = team.template sum<T>(n, [&](int i) { return T(dy[i]) * T(w[i]) * T(x[i]); });
  const T m = s * s * s * dot / T(n);
  team.each(n, [&](int i) { dx[i] += s * T(dy[i]) * T(w[i]) - m * T(x[i]); });
  return s;
}

}  // namespace solopo::kernels
