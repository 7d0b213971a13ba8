#include "solopo/objectives/tdpo2.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/solopo.hpp"
#include "solopo/objectives/tdpo1.hpp"

using namespace rule_checks;

TEST_CASE("TDPO2 weighs the divergences, and the chosen response's has no gradient") {
  Pair<double> p = simple_pair<double>();  // log-ratios 1 and -2
  p.chosen.statistic = 0.5;
  p.rejected.statistic = 2;
  const PairLoss<double> g = TDPO2{.beta = 0.5f, .kl_weight = 0.25f}(p);
  CHECK(g.loss == Approx(softplus(-0.5 * (3 - 0.25 * 1.5))).epsilon(1e-14));
  CHECK(g.by_statistic[0] == 0);
  CHECK(g.by_statistic[1] == Approx(0.25 * g.rejected).epsilon(1e-14));
}

TEST_CASE("TDPO2 of weight 1 is TDPO1 but for the derivative that is held back") {
  for (const Pair<double>& p : random_pairs(10)) {
    PairLoss<double> one = TDPO1{}(p);
    one.by_statistic[0] = 0;
    CHECK(same(TDPO2{.kl_weight = 1}(p), one));
  }
}

TEST_CASE("TDPO2's other derivatives are those of its loss") {
  for (const Pair<double>& p : random_pairs(40)) {
    const PairLoss<double> g = TDPO2{.beta = 0.6f}(p);
    for (const bool statistic : {false, true}) {
      for (unsigned r = 0; r < 2; ++r) {
        if (statistic && r == 0) continue;
        Pair<double> q = p;
        double& x = variable(q, r, statistic);
        const double slope = central_difference(
            [&](double value) {
              x = value;
              return TDPO2{.beta = 0.6f}(q).loss;
            },
            x);
        CHECK(relative_error(derivative(g, r, statistic), slope) <= 1e-6);
      }
    }
  }
}

TEST_CASE("TDPO2 has honest needs and agrees in float") {
  check_needs(TDPO2{}, TDPO2::needs);
  check_float(TDPO2{});
  using Long = SoLoPO<TDPO2, Squared>;
  check_needs(Long{}, Long::needs);
  check_float(Long{});
}
