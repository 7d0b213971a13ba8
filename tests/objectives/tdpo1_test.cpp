#include "solopo/objectives/tdpo1.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

TEST_CASE("TDPO1 takes the difference of the sequential divergences off the margin") {
  Pair<double> p = simple_pair<double>();  // log-ratios 1 and -2
  p.chosen.statistic = 0.5;
  p.rejected.statistic = 2;
  const PairLoss<double> g = TDPO1{.beta = 0.5f}(p);
  CHECK(g.loss == Approx(softplus(-0.5 * (3 - 1.5))).epsilon(1e-14));
  CHECK(g.chosen == Approx(-0.5 * sigmoid(-0.75)).epsilon(1e-14));
  CHECK(g.by_statistic[0] == Approx(g.chosen).epsilon(1e-14));
  CHECK(g.by_statistic[1] == Approx(g.rejected).epsilon(1e-14));
}

TEST_CASE("TDPO1 without divergence is DPO") {
  for (Pair<double> p : random_pairs(10)) {
    p.chosen.statistic = p.rejected.statistic = 0;
    CHECK(TDPO1{.beta = 0.3f}(p).loss == DPO{.beta = 0.3f}(p).loss);
    CHECK(TDPO1{.beta = 0.3f}(p).chosen == DPO{.beta = 0.3f}(p).chosen);
  }
}

TEST_CASE("TDPO1 has a true gradient, honest needs, and agrees in float") {
  check_objective(TDPO1{});
  check_objective(TDPO1{.beta = 0.7f});
  check_objective(SoLoPO<TDPO1, Squared, AlignBoth>{.base = {.beta = 0.3f}});
}
