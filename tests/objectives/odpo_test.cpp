#include "solopo/objectives/odpo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"

using namespace rule_checks;

TEST_CASE("ODPO asks for a margin that grows with the scores' difference") {
  const Pair<double> p = simple_pair<double>();  // D = 3, scores 7 and 5
  const ODPO log_difference{.beta = 0.5f, .offset_weight = 2};
  CHECK(log_difference(p).loss == Approx(softplus(-(1.5 - 2 * std::log(2.0)))).epsilon(1e-14));
  CHECK(ODPO{.beta = 0.5f, .offset_weight = 2, .offset = ScoreOffset::difference}(p).loss ==
        Approx(softplus(-(1.5 - 4.0))).epsilon(1e-14));
  CHECK(ODPO{.beta = 0.5f, .offset_weight = 2, .offset = ScoreOffset::log_ratio}(p).loss ==
        Approx(softplus(-(1.5 - 2 * std::log(7.0 / 5.0)))).epsilon(1e-14));
  CHECK(same(ODPO{.offset_weight = 0}(p), DPO{}(p)));
}

TEST_CASE("ODPO of scores in the wrong order stays a number") {
  Pair<double> p = simple_pair<double>();
  p.score_chosen = -2;
  CHECK(finite(ODPO{}(p)));
  CHECK(ODPO{}(p).loss < DPO{}(p).loss);
}

TEST_CASE("ODPO has a true gradient, honest needs, and agrees in float") {
  for (const ScoreOffset offset :
       {ScoreOffset::log_difference, ScoreOffset::difference, ScoreOffset::log_ratio})
    check_objective(ODPO{.beta = 0.3f, .offset_weight = 0.8f, .offset = offset});
}
