#include "solopo/links/squared.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using solopo::links::Squared;
using namespace rule_checks;

TEST_CASE("The squared link is 0 at its target and 1 a width away on either side") {
  const Squared f{.target = 0.5f, .width = 2.f};
  CHECK(f.value(0.5) == 0);
  CHECK(f.slope(0.5) == 0);
  CHECK(f.value(2.5) == 1);
  CHECK(f.value(-1.5) == 1);
  CHECK(f.slope(2.5) == 1);
  CHECK(f.slope(-1.5) == -1);
}

TEST_CASE("The squared link stays finite far out") {
  CHECK(Squared{}.value(1e4f) == Approx(9999.0 * 9999.0));
  CHECK(Squared{}.slope(-1e4f) == -20002.f);
}

TEST_CASE("The squared link's slope is its derivative, and the link is convex") {
  const Squared f{.target = 0.5f, .width = 0.1f};
  CHECK(link_slope_error(f, {-3, 0, 0.7, 5}) < 1e-8);
  CHECK(link_float_error(f, {-3, 0, 0.7, 5}) < 1e-6);
  CHECK(convex_on_grid(f, 12));
  CHECK(jensen_bound_holds(f));
}
