#include "solopo/objectives/apo_zero.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("APO-zero lies between 0 and 2, and at 1 for a policy that is its reference") {
  CHECK(APOZero{}(identical_pair<double>()).loss == 1);
  CHECK(APOZero{.beta = 0.5f}(simple_pair<double>()).loss ==
        Approx(sigmoid(-0.5) + sigmoid(-1.0)).epsilon(1e-14));
  for (const Pair<double>& p : random_pairs(50)) {
    const PairLoss<double> g = APOZero{.beta = 2.0f}(p);
    CHECK((g.loss >= 0 && g.loss <= 2));
    CHECK(g.chosen <= 0);
    CHECK(g.rejected >= 0);
  }
}

TEST_CASE("APO's link is not convex, nor its mirror") {
  CHECK_FALSE(convex_on_grid(links::Saturating{}, 12));
  CHECK_FALSE(jensen_bound_holds(links::Saturating{}));
  CHECK_FALSE(convex_on_grid(links::Mirrored<links::Saturating>{}, 12));
}

TEST_CASE("APO-zero has a true gradient, honest needs, and agrees in float") {
  check_objective(APOZero{.beta = 0.4f});
}
