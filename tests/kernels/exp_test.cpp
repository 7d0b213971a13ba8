#include "solopo/kernels/exp.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"

using solopo::kernels::fast_exp;

TEST_CASE("fast_exp's relative error is at most 1e-7 over its range") {
  double worst = 0;
  for (float x = -87.0f; x <= 88.0f; x += 0.00137f) {
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(fast_exp(x) - exact) / exact);
  }
  CHECK(worst <= 1e-7);
  CHECK(fast_exp(0.0f) == 1.0f);
}

TEST_CASE("fast_exp stays finite and positive far outside its range") {
  for (const float x : {-1e4f, -88.0f, 89.0f, 1e30f, -std::numeric_limits<float>::max()}) {
    CHECK(std::isfinite(fast_exp(x)));
    CHECK(fast_exp(x) > 0.0f);
  }
  CHECK(fast_exp(1.0) == std::exp(1.0));
}
