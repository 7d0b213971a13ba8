#include "solopo/objectives/sigmoid_norm.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("Sigmoid-norm is the logistic loss of the difference of mean log-ratios") {
  const PairLoss<double> g = SigmoidNorm{.beta = 4.0f}(simple_pair<double>());  // 4 (1/8 + 2/10) = 1.3
  CHECK(g.loss == Approx(0.2410084538329922).epsilon(1e-12));
  CHECK(g.chosen == Approx(-0.5 * 0.2141650169574414).epsilon(1e-12));
  CHECK(g.rejected == Approx(0.4 * 0.2141650169574414).epsilon(1e-12));
}

TEST_CASE("Sigmoid-norm has a true gradient, honest needs, and agrees in float") {
  check_objective(SigmoidNorm{});
  check_objective(SigmoidNorm{.beta = 5.0f, .label_smoothing = 0.1f});
}
