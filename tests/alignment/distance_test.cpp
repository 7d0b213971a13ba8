#include "solopo/alignment/distance.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using namespace rule_checks;

TEMPLATE_TEST_CASE("Every distance is zero at zero, even, and convex", "", Absolute, Squared, Huber) {
  const TestType s;
  CHECK(s.value(0.0) == 0);
  CHECK(s.slope(0.0) == 0);
  for (const double d : {1e-9, 0.3, 1.0, 1.7, 1e4}) {
    CHECK(s.value(d) == s.value(-d));
    CHECK(s.slope(d) == -s.slope(-d));
    CHECK(s.value(d) > 0);
  }
  CHECK(convex_on_grid(s, 5));
  CHECK(link_slope_error(s, {-3, -0.5, 0.5, 3}) < 1e-9);
  CHECK(link_float_error(s, {-3, -0.5, 0, 0.5, 3}) < 1e-6);
}

TEST_CASE("The absolute distance has the subgradient 0 at its kink and 1 on both sides") {
  CHECK(Absolute{}.slope(0.f) == 0.f);
  CHECK(Absolute{}.slope(-0.f) == 0.f);
  CHECK(Absolute{}.slope(std::numeric_limits<float>::denorm_min()) == 1.f);
  CHECK(Absolute{}.slope(-std::numeric_limits<float>::denorm_min()) == -1.f);
  CHECK(Absolute{}.value(-2.5) == 2.5);
}

TEST_CASE("The squared distance is d squared") {
  CHECK(Squared{}.value(-3.0) == 9);
  CHECK(Squared{}.slope(-3.0) == -6);
}

TEST_CASE("The Huber distance is half a square up to delta and a line beyond") {
  const Huber s{.delta = 2.f};
  CHECK(s.value(1.0) == 0.5);
  CHECK(s.value(2.0) == 2);
  CHECK(s.value(5.0) == 8);
  CHECK(s.slope(1.0) == 1);
  CHECK(s.slope(2.0) == 2);
  CHECK(s.slope(-5.0) == -2);
  CHECK(Huber{}.value(0.5) == 0.125);
  CHECK(Huber{}.value(3.0) == 2.5);
}
