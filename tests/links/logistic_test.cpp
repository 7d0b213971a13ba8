#include "solopo/links/logistic.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using solopo::links::Logistic;
using namespace rule_checks;

TEST_CASE("The logistic link is ln 2 at 0, -z far below, and 0 far above") {
  const Logistic f;
  CHECK(f.value(0.0) == Approx(0.69314718055994531).epsilon(1e-15));
  CHECK(f.slope(0.0) == -0.5);
  CHECK(f.value(-1e4f) == 1e4f);
  CHECK(f.slope(-1e4f) == -1.f);
  CHECK(f.value(1e4f) == 0.f);
  CHECK(f.slope(1e4f) == 0.f);
  CHECK(f.value(2.0) == Approx(0.12692801104297252).epsilon(1e-15));
}

TEST_CASE("The logistic link's slope is its derivative") {
  CHECK(link_slope_error(Logistic{}, {-20, -3, -0.4, 0, 0.4, 3, 8}) < 1e-9);
  CHECK(link_float_error(Logistic{}, {-20, -3, -0.4, 0, 0.4, 3, 20}) < 3e-7);
}

TEST_CASE("The logistic link is convex and obeys the short-to-long bound") {
  CHECK(convex_on_grid(Logistic{}, 12));
  CHECK(jensen_bound_holds(Logistic{}));
}

namespace {
// 1 - sigmoid(z): smooth and falling, but not convex.
struct Saturating {
  double value(double z) const { return solopo::sigmoid(-z); }
};
}  // namespace

TEST_CASE("The convexity checks notice a link that is not convex") {
  CHECK_FALSE(convex_on_grid(Saturating{}, 12));
  CHECK_FALSE(jensen_bound_holds(Saturating{}));
}
