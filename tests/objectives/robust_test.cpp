#include "solopo/objectives/robust.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("Robust DPO's mean over flipped labels is DPO") {
  const RobustDPO robust{.beta = 0.5f, .label_smoothing = 0.2f};
  for (const Pair<double>& p : random_pairs(20)) {
    Pair<double> flipped = p;
    std::swap(flipped.chosen, flipped.rejected);
    const double e = static_cast<double>(0.2f), mean = (1 - e) * robust(p).loss + e * robust(flipped).loss;
    const double z = 0.5 * (p.chosen.logp - p.chosen.ref_logp - p.rejected.logp + p.rejected.ref_logp);
    CHECK(mean == Approx(softplus(-z)).epsilon(1e-12));
  }
}

TEST_CASE("Robust DPO has a true gradient, honest needs, and agrees in float") {
  check_objective(RobustDPO{});
  check_objective(RobustDPO{.beta = 0.5f, .label_smoothing = 0.4f});
}

TEST_CASE("Robust DPO is negative for a pair that is far on the right side") {
  Pair<double> p = simple_pair<double>();
  p.rejected.logp = -120;  // D = 103
  CHECK(RobustDPO{.beta = 0.1f, .label_smoothing = 0.25f}(p).loss ==
        Approx(-0.25 / 0.5 * 10.3).epsilon(1e-4));
}
