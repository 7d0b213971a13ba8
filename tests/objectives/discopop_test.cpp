#include "solopo/objectives/discopop.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("DiscoPOP is logistic far below 0 and exponential far above") {
  const links::LogRatioModulated link{0.05f};
  CHECK(link.value(-5.0) == Approx(softplus(5.0)).epsilon(1e-12));
  CHECK(link.value(5.0) == Approx(std::exp(-5.0)).epsilon(1e-12));
  CHECK(link.value(0.0) == Approx((std::log(2.0) + 1) / 2).epsilon(1e-14));
  CHECK(link.value(-1e4f) == 1e4f);
  CHECK(link.value(1e4f) == 0.f);
}

TEST_CASE("DiscoPOP's link is not convex, and its slope is its derivative") {
  CHECK_FALSE(convex_on_grid(links::LogRatioModulated{}, 2));
  CHECK_FALSE(jensen_bound_holds(links::LogRatioModulated{}));
  CHECK(link_slope_error(links::LogRatioModulated{0.5f}, {-3, -0.4, 0.1, 0.4, 3}) < 1e-8);
}

TEST_CASE("DiscoPOP has a true gradient, honest needs, and agrees in float") {
  check_objective(DiscoPOP{.beta = 0.1f, .tau = 0.5f});
  check_objective(DiscoPOP{.beta = 0.05f, .tau = 1.0f});
}
