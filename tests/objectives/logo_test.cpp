#include "solopo/objectives/logo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/cpo_simpo.hpp"

using namespace rule_checks;

TEST_CASE("LOGO compares the chosen answer with the average of two rejected ones") {
  const Pair<double> p = simple_pair<double>();  // means -1.5, -2, third -1.5
  CHECK(LOGO{.beta = 2, .gamma = 0.25f, .nll_weight = 0}(p).loss ==
        Approx(softplus(-(2 * (-1.5 + 1.75) - 0.25))).epsilon(1e-14));
  CHECK(LOGO::from_ratio(10, 0.3f).gamma == Approx(3));
}

TEST_CASE("LOGO with the same answer rejected twice is SimPO with an NLL term") {
  for (Pair<double> p : random_pairs(10)) {
    p.third = p.rejected;
    const PairLoss<double> a = LOGO{.beta = 2, .gamma = 0.5f, .nll_weight = 0.1f}(p);
    const PairLoss<double> b = CPOSimPO{.beta = 2, .gamma = 0.5f, .nll_weight = 0.1f}(p);
    CHECK(a.loss == Approx(b.loss).epsilon(1e-13));
    CHECK(a.chosen == Approx(b.chosen).epsilon(1e-13));
    CHECK(a.rejected + a.third == Approx(b.rejected).epsilon(1e-13));
  }
}

TEST_CASE("LOGO has a true gradient, honest needs, and agrees in float") {
  check_objective(LOGO{});
  check_objective(LOGO{.beta = 3, .gamma = 0.6f, .nll_weight = 1, .nll = Nll::batch_tokens});
}
