#include "solopo/objectives/apo_down.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE(
    "APO-down lowers both responses of a policy that is its reference, the rejected one's through the "
    "margin") {
  Pair<double> p = identical_pair<double>();
  p.chosen.ref_logp = p.chosen.logp;
  p.rejected.ref_logp = p.rejected.logp;
  const PairLoss<double> g = APODown{.beta = 0.4f}(p);
  CHECK(g.loss == 1);
  CHECK(g.chosen == Approx(0).margin(1e-15));
  CHECK(g.rejected == Approx(0.1).epsilon(1e-7));
  // r_w = 0.5, margin 1.5
  CHECK(APODown{.beta = 0.5f}(simple_pair<double>()).loss ==
        Approx(sigmoid(0.5) + sigmoid(-1.5)).epsilon(1e-14));
}

TEST_CASE("APO-down has a true gradient, honest needs, and agrees in float") {
  check_objective(APODown{.beta = 0.4f});
}
