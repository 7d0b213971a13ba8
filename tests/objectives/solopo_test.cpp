#include "solopo/objectives/solopo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/hinge.hpp"
#include "solopo/objectives/ipo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/sft.hpp"
#include "solopo/objectives/simpo.hpp"

using namespace rule_checks;

TEST_CASE("SoLoPO adds alpha times the distance of the chosen rewards to its base") {
  const Pair<double> p = simple_pair<double>();  // rewards of DPO at beta 0.5: short 0.5, long -0.5
  const DPO base{.beta = 0.5f};
  const PairLoss<double> b = base(p), g = SoLoPO<DPO>{.base = {.beta = 0.5f}, .alpha = 3.f}(p);
  CHECK(g.loss == Approx(b.loss + 3 * 1.0).epsilon(1e-15));
  CHECK(g.chosen == Approx(b.chosen + 3 * 0.5).epsilon(1e-15));
  CHECK(g.rejected == b.rejected);
  CHECK(g.chosen_long == -3 * 0.5);
  CHECK(g.rejected_long == 0);
}

TEMPLATE_TEST_CASE("SoLoPO has a true gradient, honest needs, and agrees in float, for every base", "", DPO,
                   SimPO, ORPO, IPO, Hinge, SFT) {
  check_objective(SoLoPO<TestType>{.alpha = 3.f});
  check_objective(SoLoPO<TestType, Squared>{.alpha = 0.5f});
  check_objective(SoLoPO<TestType, Huber>{.alpha = 0.5f, .distance = {.delta = 0.3f}});
  check_objective(SoLoPO<TestType, Absolute, AlignBoth>{.alpha = 2.f});
  check_objective(SoLoPO<TestType, Squared, AlignBoth>{});
}

TEMPLATE_TEST_CASE("SoLoPO equals its base when short and long rewards agree", "", DPO, SimPO, ORPO, IPO,
                   Hinge, SFT) {
  for (Pair<double> p : random_pairs(20)) {
    p.chosen_long = p.chosen;
    p.rejected_long = p.rejected;
    CHECK(same(SoLoPO<TestType>{.alpha = 3.f}(p), TestType{}(p)));
    CHECK(same(SoLoPO<TestType, Absolute, AlignBoth>{.alpha = 3.f}(p), TestType{}(p)));
    CHECK(SoLoPO<TestType>{}.alignment(p).gap == 0);
  }
}

TEST_CASE("The gap of SoLo-DPO is exactly 0 when policy and reference agree") {
  for (Pair<double> wide : random_pairs(50)) {
    Pair<float> p = converted<float>(wide);
    for (Response<float>* y : {&p.chosen, &p.rejected, &p.chosen_long, &p.rejected_long})
      y->ref_logp = y->logp;
    const SoLoPO<DPO> objective{.alpha = 3.f};
    CHECK(objective.alignment(p).gap == 0.f);
    CHECK(objective(p).chosen_long == 0.f);
    CHECK(objective(p).chosen == DPO{}(p).chosen);
  }
}

TEST_CASE("The alignment gradient changes sign at a gap of 0 and is 0 there") {
  Pair<double> p = identical_pair<double>();
  const SoLoPO<SimPO> objective{.alpha = 2.f};
  CHECK(objective(p).chosen_long == 0);
  p.chosen_long.logp += 1e-9;
  CHECK(objective(p).chosen_long == 0.5);  // alpha beta / length
  p.chosen_long.logp -= 2e-9;
  CHECK(objective(p).chosen_long == -0.5);
}

TEST_CASE("Without alpha SoLoPO is its base") {
  for (const Pair<double>& p : random_pairs(20)) CHECK(same(SoLoPO<ORPO>{.alpha = 0.f}(p), ORPO{}(p)));
}

TEMPLATE_TEST_CASE("Stopping the short gradient leaves the loss and the long derivatives as they were", "",
                   DPO, SimPO, ORPO, IPO, Hinge, SFT) {
  using Both = SoLoPO<TestType, Squared, AlignBoth>;
  for (const Pair<double>& p : random_pairs(20)) {
    const PairLoss<double> base = TestType{}(p), full = Both{.alpha = 2.f}(p),
                           stopped = Both{.alpha = 2.f, .stop_short_gradient = true}(p);
    CHECK(stopped.loss == full.loss);
    CHECK(stopped.chosen_long == full.chosen_long);
    CHECK(stopped.rejected_long == full.rejected_long);
    CHECK(stopped.chosen == base.chosen);
    CHECK(stopped.rejected == base.rejected);
  }
}

TEST_CASE("The alignment of the rejected response is added with the same alpha") {
  const Pair<double> p = simple_pair<double>();  // SimPO at beta 2: rejected -4 and -4.4
  const double chosen_only = SoLoPO<SimPO>{.alpha = 3.f}(p).loss;
  const double both = SoLoPO<SimPO, Absolute, AlignBoth>{.alpha = 3.f}(p).loss;
  CHECK(both - chosen_only == Approx(3 * 0.4).epsilon(1e-13));
}

TEST_CASE("The alignment reports rewards, signed gap, and its loss without alpha") {
  const Pair<double> p = simple_pair<double>();  // SimPO at beta 2: chosen -3 and -4
  const auto chosen = SoLoPO<SimPO, Squared>{.alpha = 7.f}.alignment(p);
  CHECK(chosen.reward_short == -3);
  CHECK(chosen.reward_long == -4);
  CHECK(chosen.gap == 1);
  CHECK(chosen.loss == 1);
  const auto both = SoLoPO<SimPO, Squared, AlignBoth>{.alpha = 7.f}.alignment(p);
  CHECK(both.loss == Approx(1 + 0.16).epsilon(1e-13));
  CHECK(both.gap == 1);
}

TEST_CASE("SoLoPO needs the long side, with its reference where the reward reads one") {
  CHECK(SoLoPO<DPO>::needs == (DPO::needs | Needs::chosen_long | Needs::ref_chosen_long));
  CHECK(SoLoPO<ORPO>::needs == (ORPO::needs | Needs::chosen_long));
  CHECK(SoLoPO<SFT, Absolute, AlignBoth>::needs ==
        (Needs::chosen | Needs::rejected | Needs::chosen_long | Needs::rejected_long));
}
