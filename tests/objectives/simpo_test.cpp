#include "solopo/objectives/simpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("SimPO subtracts gamma after beta has multiplied the difference of means") {
  const PairLoss<double> g =
      SimPO{.beta = 2.f, .gamma = 0.5f}(simple_pair<double>());  // 2 (-1.5 + 2) - 0.5 = 0.5
  CHECK(g.loss == Approx(0.47407698418010669).epsilon(1e-14));
  CHECK(g.chosen == Approx(-0.37754066879814544 * 2 / 8).epsilon(1e-14));
  CHECK(g.rejected == Approx(0.37754066879814544 * 2 / 10).epsilon(1e-14));
}

TEST_CASE("SimPO has a true gradient, honest needs, and agrees in float") {
  check_objective(SimPO{.beta = 2.f, .gamma = 0.5f});
  check_objective(SimPO{.beta = 10.f, .gamma = 3.f, .label_smoothing = 0.1f});
}

TEST_CASE("SimPO needs no reference") { CHECK(SimPO::needs == (Needs::chosen | Needs::rejected)); }

TEST_CASE(
    "SimPO of identical responses is softplus(gamma), ln 2 without gamma, and gives no gradient to their "
    "sum") {
  const PairLoss<double> g = SimPO{.beta = 2.f, .gamma = 0.5f}(identical_pair<double>());
  CHECK(g.loss == Approx(softplus(0.5)).epsilon(1e-15));
  CHECK(g.chosen + g.rejected == 0);
  CHECK(SimPO{.gamma = 0.f}(identical_pair<double>()).loss == Approx(0.69314718055994531).epsilon(1e-15));
}

TEMPLATE_TEST_CASE("SimPO is finite at margins of 10,000", "", float, double) {
  Pair<TestType> p = simple_pair<TestType>();
  p.chosen.logp = TestType(-40'000);
  const PairLoss<TestType> g = SimPO{.beta = 2.f, .gamma = 0.5f}(p);
  CHECK(finite(g));
  CHECK(g.loss == Approx(9996.5));
  CHECK(g.chosen == Approx(-0.25));
}
