#include "solopo/links/smoothed_logistic.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"
#include "solopo/links/logistic.hpp"

using solopo::links::Logistic;
using solopo::links::SmoothedLogistic;
using namespace rule_checks;

TEST_CASE("Without smoothing the smoothed logistic link is the logistic one, bit by bit") {
  for (const double z : {-1e4, -3.0, -0.1, 0.0, 0.1, 3.0, 1e4}) {
    CHECK(SmoothedLogistic{}.value(z) == Logistic{}.value(z));
    CHECK(SmoothedLogistic{}.slope(z) == Logistic{}.slope(z));
  }
}

TEST_CASE("Smoothing mixes both labels in the closed form") {
  const SmoothedLogistic f{0.25f};
  for (const double z : {-30.0, -3.0, -0.1, 0.0, 0.1, 3.0, 30.0}) {
    CHECK(f.value(z) == Approx(0.75 * Logistic{}.value(z) + 0.25 * Logistic{}.value(-z)).epsilon(1e-14));
  }
}

TEST_CASE("With smoothing 1/2 the link is even and least at 0") {
  const SmoothedLogistic f{0.5f};
  CHECK(f.slope(0.0) == 0);
  for (const double z : {0.1, 2.0, 50.0}) {
    CHECK(f.value(z) == Approx(f.value(-z)).epsilon(1e-14));
    CHECK(f.value(z) > f.value(0.0));
  }
}

TEST_CASE("The smoothed logistic link is finite far out, with slopes e - 1 and e") {
  const SmoothedLogistic f{0.25f};
  CHECK(f.value(1e4f) == 2500.f);
  CHECK(f.slope(1e4f) == 0.25f);
  CHECK(f.value(-1e4f) == 7500.f);
  CHECK(f.slope(-1e4f) == -0.75f);
}

TEST_CASE("The smoothed logistic link's slope is its derivative, and the link is convex") {
  for (const float e : {0.f, 0.1f, 0.5f}) {
    CHECK(link_slope_error(SmoothedLogistic{e}, {-20, -3, -0.4, 0.4, 3, 8}) < 1e-9);
    CHECK(link_float_error(SmoothedLogistic{e}, {-20, -3, -0.4, 0, 0.4, 3, 20}) < 3e-7);
    CHECK(convex_on_grid(SmoothedLogistic{e}, 12));
    CHECK(jensen_bound_holds(SmoothedLogistic{e}));
  }
}
