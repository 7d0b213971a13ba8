// SwiGLU (arXiv 2002.05202): h = silu(g) * u, silu(g) = g / (1 + e^-g).
#pragma once

#include "solopo/core/config.hpp"
#include "solopo/kernels/exp.hpp"
#include "solopo/kernels/number.hpp"

namespace solopo::kernels {

// h (n) from gate g (n) and up u (n).
template <class Team, class X>
SOLOPO_HD void swiglu_row(const Team& team, const X* g, const X* u, X* h, int n) {
  using T = Number<X>;
  team.each(n, [&](int i) {
    const T gate = g[i];
    h[i] = gate / (T(1) + fast_exp(-gate)) * T(u[i]);
  });
}

// dg, du (n) from dh (n); h (n) is written again, for the weight's gradient, without keeping it from the
// forward. dg may be g and du may be u.
template <class Team, class X>
SOLOPO_HD void swiglu_row_backward(const Team& team, const X* g, const X* u, const X* dh, X* h, X* dg, X* du,
                                   int n) {
  using T = Number<X>;
  team.each(n, [&](int i) {
    const T gate = g[i], up = u[i], d = dh[i];
    const T sigmoid = T(1) / (T(1) + fast_exp(-gate));
    const T silu = gate * sigmoid;
    h[i] = silu * up;
    dg[i] = d * up * (sigmoid + silu * (T(1) - sigmoid));
    du[i] = d * silu;
  });
}

}  // namespace solopo::kernels
