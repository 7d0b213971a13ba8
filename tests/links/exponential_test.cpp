#include "solopo/links/exponential.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using solopo::links::Exponential;
using namespace rule_checks;

TEST_CASE("The exponential link is e^-z") {
  CHECK(Exponential{}.value(0.0) == 1);
  CHECK(Exponential{}.slope(0.0) == -1);
  CHECK(Exponential{}.value(2.0) == Approx(0.13533528323661270).epsilon(1e-15));
  CHECK(Exponential{}.value(1e4f) == 0.f);
}

TEST_CASE("Below -60 the exponential link goes on as its tangent and stays finite in float") {
  const Exponential f;
  CHECK(f.value(-60.0) == Approx(std::exp(60.0)).epsilon(1e-14));
  CHECK(f.value(std::nextafter(-60.0, -61.0)) == Approx(std::exp(60.0)).epsilon(1e-12));
  CHECK(f.slope(-1e4) == Approx(-std::exp(60.0)).epsilon(1e-14));
  CHECK(f.value(-1e4f) == Approx(std::exp(60.0) * 9941).epsilon(1e-5));
}

TEST_CASE("The exponential link's slope is its derivative, and the link is convex") {
  CHECK(link_slope_error(Exponential{}, {-80, -20, -3, 0, 3, 6}) < 1e-8);
  CHECK(link_float_error(Exponential{}, {-3, -0.4, 0, 0.4, 3, 20}) < 1e-6);
  CHECK(convex_on_grid(Exponential{}, 12));
  CHECK(convex_on_grid(Exponential{}, 100));
  CHECK(jensen_bound_holds(Exponential{}));
}
