// The small team that works on one row. Row rules (rms_norm.hpp, rotary.hpp, swiglu.hpp, softmax.hpp) are
// written once against it. On the CPU a team is 16 fixed lanes held in plain arrays, which compilers turn
// into vector instructions of whatever width there is; the order of a sum depends on the lanes, never on that
// width. On a GPU a team is the threads of a block (cuda/block_team.hpp): `each` strides over them, `sum` and
// `max` reduce across them.
#pragma once

#include "solopo/core/config.hpp"

namespace solopo::kernels {

struct CpuTeam {
  static constexpr int lanes = 16;

  // f(i) for every i in [0, n); iterations do not depend on each other.
  template <class F>
  void each(int n, F&& f) const {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC ivdep
#endif  // clang checks for overlap when the loop runs; its pragma warns wherever a loop is not vectorised
    for (int i = 0; i < n; ++i) f(i);
  }

  // f() after all of the team have done what came before, by one of them.
  template <class F>
  void once(F&& f) const {
    f();
  }

  // Sum of f(i): lane l adds elements l, l + 16, ..., then the lanes are added pairwise.
  template <class T, class F>
  [[nodiscard]] T sum(int n, F&& f) const {
    T lane[lanes] = {};
    int i = 0;
    for (; i + lanes <= n; i += lanes)
      for (int l = 0; l < lanes; ++l) lane[l] += f(i + l);
    for (int l = 0; i + l < n; ++l) lane[l & (lanes - 1)] += f(i + l);
    for (int width = lanes / 2; width > 0; width /= 2)
      for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
    return lane[0];
  }

  // The largest f(i), or `floor` when every one is smaller.
  template <class T, class F>
  [[nodiscard]] T max(int n, T floor, F&& f) const {
    T lane[lanes];
    for (int l = 0; l < lanes; ++l) lane[l] = floor;
    int i = 0;
    for (; i + lanes <= n; i += lanes)
      for (int l = 0; l < lanes; ++l) {
        const T v = f(i + l);
        lane[l] = lane[l] > v ? lane[l] : v;
      }
    for (int l = 0; i + l < n; ++l) {
      const T v = f(i + l);
      lane[l & (lanes - 1)] = lane[l & (lanes - 1)] > v ? lane[l & (lanes - 1)] : v;
    }
    for (int l = 1; l < lanes; ++l) lane[0] = lane[0] > lane[l] ? lane[0] : lane[l];
    return lane[0];
  }
};

}  // namespace solopo::kernels
