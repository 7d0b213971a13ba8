#include "solopo/objectives/pair_metrics.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/ipo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/sft.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

TEST_CASE("With a reference, rewards are logged as beta times summed log-ratios, whatever the loss") {
  const Pair<double> p = simple_pair<double>();
  for (const PairMetrics& m : {pair_metrics(DPO{.beta = 0.5f}, p), pair_metrics(IPO{.beta = 0.5f}, p),
                               pair_metrics(SoLoPO<IPO>{.base = {.beta = 0.5f}}, p)}) {
    CHECK(m.reward_chosen == 0.5);
    CHECK(m.reward_rejected == -1);
    CHECK(m.logp_chosen == -12);
    CHECK(m.logp_rejected == -20);
  }
}

TEST_CASE("Without a reference, rewards and log-probabilities are logged as averages") {
  const Pair<double> p = simple_pair<double>();
  const PairMetrics simpo = pair_metrics(SimPO{.beta = 2.f}, p), orpo = pair_metrics(ORPO{.lambda = 0.5f}, p);
  CHECK(simpo.reward_chosen == -3);
  CHECK(simpo.logp_chosen == -1.5);
  CHECK(orpo.reward_chosen == -0.75);
  CHECK(orpo.reward_rejected == -1);
  CHECK(orpo.logp_rejected == -2);
}

TEST_CASE("The alignment is reported on the objective's own reward") {
  const PairMetrics m = pair_metrics(SoLoPO<ORPO>{.alpha = 5.f}, simple_pair<double>());
  REQUIRE(m.has_alignment);
  const double r_short = rewards::LogOdds{}.value(simple_pair<double>().chosen);
  const double r_long = rewards::LogOdds{}.value(simple_pair<double>().chosen_long);
  CHECK(m.reward_short == r_short);
  CHECK(m.reward_long == r_long);
  CHECK(m.gap == r_short - r_long);
  CHECK(m.alignment_loss == std::abs(r_short - r_long));
  CHECK_FALSE(pair_metrics(ORPO{}, simple_pair<double>()).has_alignment);
}

TEST_CASE("What an objective does not read is not reported") {
  const PairMetrics m = pair_metrics(SFT{}, poisoned(simple_pair<double>(), SFT::needs));
  CHECK(m.has_chosen);
  CHECK(m.has_chosen_reward);
  CHECK(m.reward_chosen == -1.5);
  CHECK_FALSE(m.has_rejected);
  CHECK_FALSE(m.has_rejected_reward);
}

TEST_CASE("Clamped log-odds are counted, of the responses that are read") {
  Pair<double> p = simple_pair<double>();
  CHECK(pair_metrics(SoLoPO<ORPO>{}, p).clamped == 0);
  p.chosen.logp = p.chosen_long.logp = p.rejected_long.logp = 0;
  CHECK(pair_metrics(ORPO{}, p).clamped == 1);
  CHECK(pair_metrics(SoLoPO<ORPO>{}, p).clamped == 2);
  CHECK(pair_metrics(SoLoPO<ORPO, Absolute, AlignBoth>{}, p).clamped == 3);
}
