#include "solopo/objectives/alpha_dpo.hpp"

#include "coupled_checks.hpp"
#include "solopo/objectives/simpo.hpp"

using namespace rule_checks;

TEST_CASE("Alpha-DPO is SimPO whose margin follows the drift from the reference") {
  const std::vector<Pair<double>> pairs = random_pairs(5, 6);
  const AlphaDPO objective{.beta = 2.0f, .gamma = 0.5f, .margin_alpha = 0.25f};
  const MovingMoments state{.mean = 0.5, .deviation = 2};
  const auto losses = losses_of(objective, pairs, state);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto mean = [](const Response<double>& y) { return (y.logp - y.ref_logp) / y.length; };
    const double moved = (mean(pairs[i].chosen) - mean(pairs[i].rejected) - 0.5) / 2;
    const double simpo_margin = 2 * (pairs[i].chosen.logp / pairs[i].chosen.length -
                                     pairs[i].rejected.logp / pairs[i].rejected.length);
    CHECK(losses[i].loss == Approx(softplus(-(simpo_margin - 0.5 - 2 * 0.25 * moved))).epsilon(1e-13));
  }
}

TEST_CASE("Alpha-DPO before any batch, and with weight 0, is SimPO") {
  for (const Pair<double>& p : random_pairs(10)) {
    const PairLoss<double> simpo = SimPO{.beta = 2.5f, .gamma = 0.5f}(p);
    CHECK(same(losses_of(AlphaDPO{}, {p}, {})[0], simpo));
    CHECK(same(losses_of(AlphaDPO{.margin_alpha = 0}, {p}, {.mean = 1, .deviation = 2})[0], simpo));
  }
  CHECK(AlphaDPO::from_ratio(10, 0.25f, 0.1f).gamma == 2.5f);
}

TEST_CASE("A batch counts with a tenth in the moving moments") {
  std::vector<Pair<double>> pairs(2, simple_pair<double>());
  const auto value = [](const Pair<double>& p) { return p.chosen.logp; };
  pairs[0].chosen.logp = 1;
  pairs[1].chosen.logp = 3;  // mean 2, unbiased deviation sqrt(2)
  const std::span<const Pair<double>> all(pairs);
  const MovingMoments once = MovingMoments{}.after(all, value);
  CHECK(once.mean == Approx(0.2));
  CHECK(once.deviation == Approx(0.14142135623730951));
  CHECK(once.after(all, value).mean == Approx(0.38));
  CHECK(MovingMoments{}.after(all.first(1), value).deviation == 0);
  CHECK(once.after(all.first(0), value).mean == once.mean);
  CHECK(MovingMoments{}.normalised(7) == 0);
  CHECK(MovingMoments{.mean = 1, .deviation = 2}.normalised(7) == 3);
}

TEST_CASE("Alpha-DPO has a true gradient at its margin, honest needs, and agrees in float") {
  check_coupled(AlphaDPO{.margin_alpha = 0}, random_pairs(6, 51), {.reference_is_fixed = true});
  check_coupled(AlphaDPO{}, random_pairs(6, 52), {.drift_is_fixed = true});
}
