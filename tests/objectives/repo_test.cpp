#include "solopo/objectives/repo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("RePO is the part of gamma that the margin of mean log-probabilities lacks") {
  CHECK(RePO{.gamma = 0.75f}(simple_pair<double>()).loss == 0.25);  // margin 0.5
  CHECK(RePO{.gamma = 0.75f}(simple_pair<double>()).chosen == -0.125);
  CHECK(RePO{.gamma = 0.75f}(simple_pair<double>()).rejected == Approx(0.1));
  CHECK(RePO{.gamma = 0.5f}(simple_pair<double>()).chosen == 0);
}

TEST_CASE("RePO has a true gradient, honest needs, and agrees in float") { check_objective(RePO{}); }
