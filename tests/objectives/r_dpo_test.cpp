#include "solopo/objectives/r_dpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;
#include "solopo/objectives/dpo.hpp"

TEST_CASE("R-DPO adds the difference of lengths to DPO's margin, with the sign of its weight") {
  const Pair<double> p = simple_pair<double>();  // lengths 8 and 10, beta D = 1.5
  CHECK(RDPO{.beta = 0.5f, .length_weight = 0.25f}(p).loss == Approx(softplus(-1.0)).epsilon(1e-14));
  CHECK(RDPO{.beta = 0.5f, .length_weight = -0.25f}(p).loss == Approx(softplus(-2.0)).epsilon(1e-14));
  CHECK(same(RDPO{.beta = 0.5f, .length_weight = 0}(p), DPO{.beta = 0.5f}(p)));
}

TEST_CASE("R-DPO has a true gradient, honest needs, and agrees in float") {
  check_objective(RDPO{});
  check_objective(RDPO{.beta = 0.3f, .length_weight = -0.1f});
}
