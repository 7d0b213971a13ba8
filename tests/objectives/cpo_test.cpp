#include "solopo/objectives/cpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("CPO is the logistic loss of the log-probabilities' difference plus the chosen one's NLL") {
  // 0.5 (-12 + 20) = 4: ln(1 + e^-4) = 0.018149927917809; NLL 12 / 8
  CHECK(CPO{.beta = 0.5f}(simple_pair<double>()).loss == Approx(0.018149927917809 + 1.5).epsilon(1e-12));
  CHECK(CPO{.beta = 0.5f, .nll_weight = 0.25f, .nll = Nll::sum}(simple_pair<double>()).loss ==
        Approx(0.018149927917809 + 3).epsilon(1e-12));
  CHECK(CPO{.beta = 0.5f, .nll_weight = 0.0f}(simple_pair<double>()).chosen ==
        Approx(-0.5 * 0.017986209962092).epsilon(1e-12));
}

TEST_CASE("CPO has a true gradient, honest needs, and agrees in float") {
  check_objective(CPO{});
  check_objective(CPO{.beta = 0.3f, .nll_weight = 0.5f, .label_smoothing = 0.1f, .nll = Nll::sum});
}

TEST_CASE("CPO reads no reference") { CHECK_FALSE(needs_reference(CPO::needs)); }
