#include "solopo/objectives/cpo_simpo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/simpo.hpp"

using namespace rule_checks;

TEST_CASE("CPO-SimPO without NLL is SimPO, and NLL adds its own gradient") {
  const SimPO simpo{.beta = 2.5f, .gamma = 0.75f, .label_smoothing = 0.1f};
  for (const Pair<double>& p : random_pairs(20)) {
    CHECK(
        same(CPOSimPO{.beta = 2.5f, .gamma = 0.75f, .nll_weight = 0, .label_smoothing = 0.1f}(p), simpo(p)));
    const PairLoss<double> g = CPOSimPO{.beta = 2.5f, .gamma = 0.75f, .label_smoothing = 0.1f}(p);
    CHECK(g.loss == Approx(simpo(p).loss - p.chosen.logp / p.chosen.length).epsilon(1e-13));
    CHECK(g.chosen == Approx(simpo(p).chosen - 1 / p.chosen.length).epsilon(1e-13));
  }
}

TEST_CASE("CPO-SimPO has a true gradient, honest needs, and agrees in float") {
  check_objective(CPOSimPO{});
  check_objective(CPOSimPO{.nll_weight = 0.3f, .nll = Nll::sum});
}
