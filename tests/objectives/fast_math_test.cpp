// Compiled with -ffast-math: a user's program may be, and the scalar rules must stay right.
#include "objective_checks.hpp"
#include "solopo/solopo.hpp"

using namespace rule_checks;

TEST_CASE("The scalar functions stay right under -ffast-math") {
  REQUIRE(__FINITE_MATH_ONLY__ == 1);
  CHECK(softplus(1e4) == 1e4);
  CHECK(softplus(-1e4) == 0);
  CHECK(log1mexp(-1e-12) == Approx(std::log(1e-12)).epsilon(1e-12));
  CHECK(log1mexp(-40.0) == Approx(-4.248354255291589e-18).epsilon(1e-12));
  CHECK_FALSE(is_finite(std::numeric_limits<float>::infinity()));
  CHECK_FALSE(is_finite(std::numeric_limits<double>::quiet_NaN()));
}

TEMPLATE_TEST_CASE("Objectives stay finite and differentiable under -ffast-math", "", DPO, SimPO, ORPO, IPO,
                   Hinge, SFT, RobustDPO, SigmoidNorm, CPO, CPOSimPO, EXO, NCA, SPPO, BCOPair, APOZero,
                   APODown, DiscoPOP, FDPO<>, AlphaPO, RePO, SimPER, RDPO, DPOP, RPO, MPO, SoLoPO<DPO>,
                   SoLoPO<SimPO>, SoLoPO<ORPO>) {
  for (const Pair<double>& p : random_pairs(20)) {
    if (near_kink(TestType{}, p)) continue;
    CHECK(difference_error(TestType{}, p) <= 1e-6);
  }
  for (const float logp : {0.f, -1e-7f, 1e-7f, -1e4f}) {
    Pair<float> p = simple_pair<float>();
    p.chosen.logp = p.rejected.logp = p.chosen_long.logp = logp;
    const PairLoss<float> g = TestType{}(p);
    for (const float x : {g.loss, g.chosen, g.rejected, g.chosen_long}) CHECK(is_finite(x));
    p.chosen.logp = -5.f;
    CHECK(is_finite(TestType{}(p).loss));
  }
}

TEST_CASE("The batch loss still refuses what is not finite under -ffast-math") {
  PairBatch<std::vector<float>> batch{.chosen = {{-1.f}, {}, {2.f}}};
  CHECK(batch_loss(SFT{}, batch).loss == 0.5f);
  batch.chosen.logp[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(batch_loss(SFT{}, batch), ArgumentError);
}
