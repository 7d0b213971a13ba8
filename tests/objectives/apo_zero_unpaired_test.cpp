#include "solopo/objectives/apo_zero_unpaired.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/apo_zero.hpp"

using namespace rule_checks;

TEST_CASE("APO-zero of a chosen and of a rejected record add up to APO-zero of their pair") {
  for (const Pair<double>& p : random_pairs(20)) {
    Pair<double> desirable = p, undesirable = p;
    desirable.label = 1;
    undesirable.label = 0;
    undesirable.chosen = p.rejected;
    const APOZeroUnpaired rule{.beta = 0.4f};
    const PairLoss<double> w = rule(desirable), l = rule(undesirable), both = APOZero{.beta = 0.4f}(p);
    CHECK(w.loss + l.loss == Approx(both.loss).epsilon(1e-14));
    CHECK(w.chosen == Approx(both.chosen).epsilon(1e-14));
    CHECK(l.chosen == Approx(both.rejected).epsilon(1e-14));
  }
}

TEST_CASE("APO-zero unpaired has a true gradient, honest needs, and agrees in float") {
  check_objective(APOZeroUnpaired{});
  check_objective(APOZeroUnpaired{
      .beta = 0.8f, .desirable_weight = 0.5f, .undesirable_weight = 1.5f, .reference_point = 1.25f});
}
