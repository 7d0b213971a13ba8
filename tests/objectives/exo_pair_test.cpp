#include "solopo/objectives/exo_pair.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("EXO is 0 where the policy's preference is the label, and not convex") {
  const links::ReverseKL link{0.1f};
  const double z = std::log((1 - double(0.1f)) / double(0.1f));
  CHECK(link.value(z) == Approx(0).margin(1e-15));
  CHECK(link.slope(z) == Approx(0).margin(1e-15));
  CHECK(link.value(1e4) == Approx(-std::log(1 - double(0.1f))).epsilon(1e-14));
  CHECK(link.value(-1e4) == Approx(-std::log(double(0.1f))).epsilon(1e-14));
  CHECK_FALSE(convex_on_grid(link, 12));
  CHECK_FALSE(jensen_bound_holds(link));
}

TEST_CASE("EXO has a true gradient, honest needs, and agrees in float") {
  check_objective(EXO{});
  check_objective(EXO{.beta = 0.4f, .label_smoothing = 0.3f});
}
