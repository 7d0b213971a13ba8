#include "solopo/objectives/rpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;
#include "solopo/objectives/dpo.hpp"

TEST_CASE("RPO is DPO plus the chosen response's NLL") {
  const Pair<double> p = simple_pair<double>();
  CHECK(RPO{.beta = 0.5f}(p).loss == Approx(DPO{.beta = 0.5f}(p).loss + 1.5).epsilon(1e-14));
  CHECK(RPO{.beta = 0.5f, .nll_weight = 0.5f, .nll = Nll::sum}(p).loss ==
        Approx(DPO{.beta = 0.5f}(p).loss + 6).epsilon(1e-14));
  CHECK(same(RPO{.nll_weight = 0}(p), DPO{}(p)));
}

TEST_CASE("RPO has a true gradient, honest needs, and agrees in float") {
  check_objective(RPO{});
  check_objective(RPO{.nll_weight = 0.3f, .label_smoothing = 0.2f, .nll = Nll::sum});
}
