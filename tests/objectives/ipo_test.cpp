#include "solopo/objectives/ipo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("IPO regresses the difference of mean log-ratios to 1/(2 beta)") {
  const PairLoss<double> g = IPO{.beta = 0.25f}(simple_pair<double>());  // 1/8 + 2/10 - 2 = -1.675
  CHECK(g.loss == Approx(1.675 * 1.675).epsilon(1e-14));
  CHECK(g.chosen == Approx(2 * -1.675 / 8).epsilon(1e-14));
  CHECK(g.rejected == Approx(-2 * -1.675 / 10).epsilon(1e-14));
}

TEST_CASE("IPO has a true gradient, honest needs, and agrees in float") {
  check_objective(IPO{.beta = 0.1f});
  check_objective(IPO{.beta = 2.f});
}

TEST_CASE("IPO gives no gradient at its target and pulls back beyond it") {
  Pair<double> p = identical_pair<double>();
  const IPO ipo{.beta = 0.25f};  // target 2 a token
  p.chosen.logp = p.chosen.ref_logp + 16;
  p.rejected.logp = p.rejected.ref_logp;
  CHECK(ipo(p).loss == 0);
  CHECK(ipo(p).chosen == 0);
  p.chosen.logp += 1;
  CHECK(ipo(p).chosen > 0);
  p.chosen.logp -= 2;
  CHECK(ipo(p).chosen < 0);
}

TEST_CASE("IPO of identical responses is 1/(2 beta) squared, from beta 1e-6 to 100") {
  for (const float beta : {1e-6f, 0.1f, 100.f}) {
    const double target = 1 / (2 * static_cast<double>(beta));
    CHECK(IPO{.beta = beta}(identical_pair<double>()).loss == Approx(target * target).epsilon(1e-12));
    CHECK(finite(IPO{.beta = beta}(identical_pair<float>())));
  }
}

TEST_CASE("IPO's reward is a mean, the reward it logs is a sum") {
  const Response<double> y = simple_pair<double>().chosen;
  CHECK(IPO{.beta = 0.5f}.reward().value(y) == 0.0625);
  CHECK(IPO{.beta = 0.5f}.logged_reward().value(y) == 0.5);
}
