#include "solopo/objectives/bco.hpp"

#include "coupled_checks.hpp"
#include "solopo/objectives/bco_pair.hpp"

using namespace rule_checks;

TEST_CASE("BCO's delta is the mean reward of all records seen, this batch included") {
  const std::vector<Pair<double>> pairs = random_pairs(9, 4);
  const std::span<const Pair<double>> all(pairs);
  const BCO bco{.beta = 0.5f};
  double sum = 0;
  for (const Pair<double>& p : pairs) sum += 0.5 * (p.chosen.logp - p.chosen.ref_logp);
  const BCO::State once = bco.advanced({}, all);
  const BCO::State twice = bco.advanced(bco.advanced({}, all.first(4)), all.subspan(4));
  CHECK(once.delta == Approx(sum / 9).epsilon(1e-14));
  CHECK(twice.delta == Approx(once.delta).epsilon(1e-14));
  CHECK(twice.count == 9);
  CHECK(bco.advanced(once, all.first(0)).delta == once.delta);
}

TEST_CASE("BCO of a chosen and of a rejected record add up to BCO of their pair at that delta") {
  const BCO::State state{.delta = -0.75, .count = 3};
  for (const Pair<double>& p : random_pairs(20)) {
    std::vector<Pair<double>> rows(2, p);
    rows[0].label = 1;
    rows[1].label = 0;
    rows[1].chosen = p.rejected;
    const auto losses = losses_of(BCO{.beta = 0.3f}, rows, state);
    const PairLoss<double> both = BCOPair{.beta = 0.3f, .delta = -0.75f}(p);
    CHECK(losses[0].loss + losses[1].loss == Approx(both.loss).epsilon(1e-14));
    CHECK(losses[0].chosen == Approx(both.chosen).epsilon(1e-14));
    CHECK(losses[1].chosen == Approx(both.rejected).epsilon(1e-14));
  }
}

TEST_CASE("BCO has a true gradient at its delta, honest needs, and agrees in float") {
  check_coupled(BCO{}, random_pairs(6, 31), {});
  check_coupled(BCO{.beta = 0.9f}, random_pairs(6, 32), {});
}
