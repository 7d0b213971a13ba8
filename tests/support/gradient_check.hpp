// Central differences against an analytic gradient, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace solopo::test {

// The largest |numeric - analytic| / max(1, |analytic|) over the elements begin, begin + step, ... of x,
// where f() reads x. Step of the difference: cbrt(eps) * max(1, |x|).
template <class F>
double worst_gradient_error(std::span<double> x, std::span<const double> analytic, F&& f,
                            std::size_t begin = 0, std::size_t step = 1) {
  double worst = 0;
  for (std::size_t i = begin; i < x.size(); i += step) {
    const double saved = x[i];
    const double h = std::cbrt(std::numeric_limits<double>::epsilon()) * std::max(1.0, std::abs(saved));
    x[i] = saved + h;
    const double up = f();
    x[i] = saved - h;
    const double down = f();
    x[i] = saved;
    const double numeric = (up - down) / (2 * h);
    worst = std::max(worst, std::abs(numeric - analytic[i]) / std::max(1.0, std::abs(analytic[i])));
  }
  return worst;
}

}  // namespace solopo::test
