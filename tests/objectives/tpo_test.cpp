#include "solopo/objectives/tpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("TPO prefers chosen to rejected and keeps the third answer likely") {
  const Pair<double> p = simple_pair<double>();  // -12 of 8, -20 of 10, third -6 of 4
  const PairLoss<double> g = TPO{.beta = 0.5f, .nll_weight = 0.25f}(p);
  CHECK(g.loss == Approx(softplus(-4.0) + 0.25 * 1.5).epsilon(1e-14));
  CHECK(g.third == Approx(-0.25 / 4).epsilon(1e-14));
  const TPO by_length{.beta = 2, .gamma = 0.5f, .normalise = Normalise::mean};
  CHECK(by_length(p).loss == Approx(softplus(-(2 * (-1.5 + 2.0) - 0.5)) + 1.5).epsilon(1e-14));
}

TEST_CASE("TPO has a true gradient, honest needs, and agrees in float") {
  check_objective(TPO{});
  check_objective(TPO{
      .beta = 2, .gamma = 0.5f, .nll_weight = 0.3f, .label_smoothing = 0.1f, .normalise = Normalise::mean});
}
