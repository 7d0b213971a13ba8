#include "solopo/links/hinge.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using solopo::links::Hinge;
using namespace rule_checks;

TEST_CASE("The hinge link falls to 0 at 1 and stays there") {
  CHECK(Hinge{}.value(-2.0) == 3);
  CHECK(Hinge{}.value(0.0) == 1);
  CHECK(Hinge{}.value(1.0) == 0);
  CHECK(Hinge{}.value(1e4) == 0);
  CHECK(Hinge{}.value(-1e4f) == 10001.f);
}

TEST_CASE("The hinge link has slope -1 below its kink, and 0 at and above it") {
  CHECK(Hinge{}.slope(std::nextafter(1.0, 0.0)) == -1);
  CHECK(Hinge{}.slope(1.0) == 0);
  CHECK(Hinge{}.slope(std::nextafter(1.0, 2.0)) == 0);
}

TEST_CASE("The hinge link's slope is its derivative off the kink, and the link is convex") {
  CHECK(link_slope_error(Hinge{}, {-3, 0, 0.9, 1.1, 5}) < 1e-9);
  CHECK(link_float_error(Hinge{}, {-3, 0, 0.9, 1.1, 5}) < 3e-7);
  CHECK(convex_on_grid(Hinge{}, 12));
  CHECK(jensen_bound_holds(Hinge{}));
}
