#include "solopo/objectives/kto.hpp"

#include "coupled_checks.hpp"

using namespace rule_checks;

TEST_CASE("KTO values each answer against the mean log-ratio of unmatched ones") {
  std::vector<Pair<double>> pairs(2, simple_pair<double>());  // log-ratio 1; third 2, then 4
  pairs[1].third.logp = -4;
  pairs[1].label = 0;
  const KTO kto{.beta = 0.5f, .desirable_weight = 1.25f, .undesirable_weight = 0.5f};
  CHECK(kto.reference_point(std::span<const Pair<double>>(pairs)) == 3);
  const auto losses = losses_of(kto, pairs, {});
  CHECK(losses[0].loss == Approx(1.25 * sigmoid(-0.5 * (1 - 3))).epsilon(1e-14));
  CHECK(losses[1].loss == Approx(0.5 * sigmoid(-0.5 * (3 - 1))).epsilon(1e-14));
  CHECK(losses[0].chosen == Approx(-1.25 * 0.5 * sigmoid(1.0) * sigmoid(-1.0)).epsilon(1e-14));
  CHECK(losses[1].chosen == Approx(0.5 * 0.5 * sigmoid(1.0) * sigmoid(-1.0)).epsilon(1e-14));
  CHECK(losses[0].third == 0);
}

TEST_CASE("KTO's reference point is never below 0") {
  std::vector<Pair<double>> pairs(1, simple_pair<double>());
  pairs[0].third.logp = -100;
  CHECK(KTO{}.reference_point(std::span<const Pair<double>>(pairs)) == 0);
  CHECK(KTO{}.reference_point(std::span<const Pair<double>>()) == 0);
}

TEST_CASE("KTO has a true gradient at its reference point, honest needs, and agrees in float") {
  std::vector<Pair<double>> pairs = random_pairs(7, 21);
  for (Pair<double>& p : pairs) p.third.ref_logp = p.third.logp - 3;  // a reference point above 0
  check_coupled(KTO{}, pairs, {.third_is_fixed = true});
  check_coupled(KTO{.beta = 0.7f, .desirable_weight = 1.3f, .undesirable_weight = 0.4f}, pairs,
                {.third_is_fixed = true});
}
