#include "solopo/backends/batch_loss.hpp"

#include <limits>

#include "objective_checks.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/objectives/bco.hpp"
#include "solopo/objectives/cpo.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/kto.hpp"
#include "solopo/objectives/logo.hpp"
#include "solopo/objectives/odpo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/registry.hpp"
#include "solopo/objectives/sft.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;
using Catch::Matchers::Contains;

namespace {

template <class T>
PairBatch<std::vector<T>> batch_of(const std::vector<Pair<double>>& pairs) {
  PairBatch<std::vector<T>> out;
  const auto put = [](ResponseBatch<std::vector<T>>& to, const Response<double>& y) {
    to.logp.push_back(T(y.logp));
    to.ref_logp.push_back(T(y.ref_logp));
    to.length.push_back(T(y.length));
  };
  for (const Pair<double>& p : pairs) {
    put(out.chosen, p.chosen);
    put(out.rejected, p.rejected);
    put(out.chosen_long, p.chosen_long);
    put(out.rejected_long, p.rejected_long);
    put(out.third, p.third);
    out.score_chosen.push_back(T(p.score_chosen));
    out.score_rejected.push_back(T(p.score_rejected));
    out.label.push_back(T(p.label));
  }
  return out;
}

std::vector<double> metrics_of(const BatchMetrics& m, std::vector<std::string>& names) {
  std::vector<double> values;
  m.for_each([&](const char* name, double value) {
    names.emplace_back(name);
    values.push_back(value);
  });
  return values;
}

}  // namespace

TEMPLATE_TEST_CASE("The batch loss is the mean over pairs, with the derivative of that mean", "", float,
                   double) {
  using T = TestType;
  const auto pairs = random_pairs(7);
  const SoLoPO<DPO> objective{.alpha = 3.f};
  const auto out = batch_loss(objective, batch_of<T>(pairs));
  double loss = 0;
  for (std::size_t i = 0; i < 7; ++i) {
    const PairLoss<T> g = objective(converted<T>(pairs[i]));
    loss += g.loss / 7.0;
    CHECK(out.chosen[i] == Approx(g.chosen / 7));
    CHECK(out.rejected[i] == Approx(g.rejected / 7));
    CHECK(out.chosen_long[i] == Approx(g.chosen_long / 7));
  }
  CHECK(out.loss == Approx(loss).epsilon(1e-6));
  CHECK(out.rejected_long.empty());
}

TEST_CASE("Micro-batches with the optimiser batch's count add up to the whole batch") {
  const auto pairs = random_pairs(6);
  const auto whole = batch_loss(ORPO{}, batch_of<double>(pairs));
  const auto first = batch_loss(ORPO{}, batch_of<double>({pairs.begin(), pairs.begin() + 4}), 6);
  const auto second = batch_loss(ORPO{}, batch_of<double>({pairs.begin() + 4, pairs.end()}), 6);
  CHECK(first.loss + second.loss == Approx(whole.loss).epsilon(1e-14));
  CHECK(first.chosen[3] == whole.chosen[3]);
  CHECK(second.rejected[1] == whole.rejected[5]);
  BatchMetrics joined = first.metrics;
  joined.add(second.metrics);
  CHECK(joined.pairs == 6);
  std::vector<std::string> names;
  const auto a = metrics_of(joined, names), b = metrics_of(whole.metrics, names);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-12));
  CHECK(joined.loss == Approx(whole.loss).epsilon(1e-12));
}

TEST_CASE("The metrics have TRL's names, and those of the alignment") {
  std::vector<std::string> names;
  const Pair<double> p = simple_pair<double>();
  const auto values =
      metrics_of(batch_loss(SoLoPO<SimPO, Squared>{.alpha = 5.f}, batch_of<double>({p})).metrics, names);
  CHECK(names == std::vector<std::string>{"loss", "rewards/chosen", "rewards/rejected", "rewards/accuracies",
                                          "rewards/margins", "logps/chosen", "logps/rejected", "solo_ra/gap",
                                          "solo_ra/loss", "solo_ra/reward_short", "solo_ra/reward_long"});
  CHECK(values[1] == -3);
  CHECK(values[2] == -4);
  CHECK(values[3] == 1);
  CHECK(values[4] == 1);
  CHECK(values[5] == -1.5);
  CHECK(values[7] == 1);
  CHECK(values[8] == 1);
  CHECK(values[9] == -3);
  CHECK(values[10] == -4);
  names.clear();
  (void)metrics_of(batch_loss(SFT{}, batch_of<double>({p})).metrics, names);
  CHECK(names == std::vector<std::string>{"loss", "rewards/chosen", "logps/chosen"});
}

TEST_CASE("A tie of rewards counts as wrong") {
  CHECK(batch_loss(DPO{}, batch_of<double>({identical_pair<double>()})).metrics.rewards_accuracies == 0);
}

TEST_CASE("The gap is a signed mean, the alignment loss is not") {
  Pair<double> p = simple_pair<double>(), q = p;
  std::swap(q.chosen, q.chosen_long);
  const auto m = batch_loss(SoLoPO<SimPO>{}, batch_of<double>({p, q})).metrics;
  CHECK(m.solo_ra_gap == 0);
  CHECK(m.solo_ra_loss == 1);
}

TEST_CASE("Clamped log-odds are counted per pair") {
  Pair<double> p = simple_pair<double>();
  p.chosen.logp = p.rejected.logp = 0;
  const auto m = batch_loss(ORPO{}, batch_of<double>({p, simple_pair<double>()})).metrics;
  CHECK(m.clamped == 1);
  std::vector<std::string> names;
  (void)metrics_of(m, names);
  CHECK(names.back() == "rewards/clamped");
}

TEST_CASE("What the objective does not need may be empty, of any length, or NaN") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  auto batch = batch_of<double>(random_pairs(3));
  const auto expected = batch_loss(SimPO{}, batch);
  batch.chosen.ref_logp = {nan, nan};
  batch.rejected.ref_logp = {};
  batch.chosen_long.logp = {nan};
  batch.rejected_long.length = {0, 0, 0, 0};
  const auto out = batch_loss(SimPO{}, batch);
  CHECK(out.loss == expected.loss);
  CHECK(out.chosen == expected.chosen);
  CHECK(out.rejected == expected.rejected);
}

TEST_CASE("An erased objective goes through like the one it holds") {
  const auto batch = batch_of<float>(random_pairs(5));
  const SoLoPO<ORPO> held{.alpha = 2.f};
  const auto a = batch_loss(held, batch), b = batch_loss(AnyObjective("x", held), batch);
  CHECK(a.loss == b.loss);
  CHECK(a.chosen == b.chosen);
  CHECK(a.chosen_long == b.chosen_long);
  CHECK(a.metrics.solo_ra_gap == b.metrics.solo_ra_gap);
}

TEST_CASE("Wrong batches are refused by argument and index") {
  const auto good = batch_of<float>(random_pairs(3));
  auto batch = good;
  CHECK_THROWS_WITH(batch_loss(DPO{}, PairBatch<std::vector<float>>{}), Contains("batch: holds no pairs"));

  batch.rejected.length[2] = 0;
  CHECK_THROWS_WITH(batch_loss(DPO{}, batch), Contains("rejected.length[2]: an empty response"));
  batch = good;
  batch.chosen.length[1] = 0.5f;
  CHECK_THROWS_AS(batch_loss(DPO{}, batch), ArgumentError);
  batch = good;
  batch.rejected.logp.pop_back();
  CHECK_THROWS_WITH(batch_loss(DPO{}, batch),
                    Contains("rejected.logp: has 2 entries where the batch has 3 pairs"));
  batch = good;
  batch.chosen.ref_logp.clear();
  CHECK_THROWS_WITH(batch_loss(DPO{}, batch),
                    Contains("chosen.ref_logp") && Contains("the objective needs it"));
  batch = good;
  batch.chosen_long.logp.push_back(-1);
  CHECK_THROWS_WITH(batch_loss(SoLoPO<SimPO>{}, batch), Contains("chosen_long.logp"));
  CHECK_NOTHROW(batch_loss(SimPO{}, batch));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    batch = good;
    batch.chosen.logp[1] = bad;
    CHECK_THROWS_WITH(batch_loss(DPO{}, batch), Contains("chosen.logp[1]: is not finite"));
    batch = good;
    batch.rejected.ref_logp[0] = bad;
    CHECK_THROWS_WITH(batch_loss(DPO{}, batch), Contains("rejected.ref_logp[0]: is not finite"));
    batch = good;
    batch.rejected.length[0] = bad;
    CHECK_THROWS_WITH(batch_loss(DPO{}, batch), Contains("rejected.length[0]: is not finite"));
  }
  CHECK_THROWS_WITH(batch_loss(DPO{}, good, 2), Contains("count: 2 is less than the batch's 3 pairs"));
}

TEST_CASE("An argument error carries its argument and index") {
  auto batch = batch_of<float>(random_pairs(3));
  batch.rejected.length[2] = 0;
  try {
    (void)batch_loss(DPO{}, batch);
    FAIL("no error");
  } catch (const ArgumentError& e) {
    CHECK(e.argument() == "rejected.length");
    CHECK(e.index() == 2);
  }
}

TEMPLATE_TEST_CASE("A coupled objective sees the whole batch, and its state only when told", "", float,
                   double) {
  using T = TestType;
  const auto batch = batch_of<T>(random_pairs(6));
  const BCO bco{.beta = 0.5f};
  const auto fresh = batch_loss(bco, batch);
  const BCO::State state = next_state(bco, batch, initial_state(bco));
  const auto seen = batch_loss(bco, batch, state);
  CHECK(state.count == 6);
  CHECK(fresh.loss != seen.loss);
  CHECK(batch_loss(bco, batch, state).loss == seen.loss);
  const AnyObjective any = make_objective("bco", {{"beta", 0.5f}});
  const auto erased = batch_loss(any, batch, next_state(any, batch, initial_state(any)));
  CHECK(erased.loss == seen.loss);
  CHECK(erased.chosen == seen.chosen);
  CHECK(erased.rejected.empty());
}

TEST_CASE("A third response, scores, labels and the mean length reach the objective, with names for errors") {
  const auto pairs = random_pairs(5);
  auto batch = batch_of<double>(pairs);
  const auto logo = batch_loss(LOGO{}, batch);
  const auto odpo = batch_loss(ODPO{}, batch);
  double third = 0, loss = 0, length = 0;
  for (const Pair<double>& p : pairs) {
    third += LOGO{}(p).third / 5;
    loss += ODPO{}(p).loss / 5;
    length += p.chosen.length / 5;
  }
  double sum = 0;
  for (const double d : logo.third) sum += d;
  CHECK(sum == Approx(third));
  CHECK(odpo.loss == Approx(loss));
  CHECK(odpo.third.empty());

  const auto tokens = batch_loss(CPO{.nll = Nll::batch_tokens}, batch);
  double expected = 0;
  for (const Pair<double>& p : pairs) expected += (CPO{.nll_weight = 0}(p).loss - p.chosen.logp / length) / 5;
  CHECK(tokens.loss == Approx(expected));

  batch.score_rejected.pop_back();
  CHECK_THROWS_WITH(batch_loss(ODPO{}, batch), Contains("score_rejected") && Contains("4") && Contains("5"));
  batch.label[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(batch_loss(KTO{}, batch), Contains("label") && Contains("2"));
  batch.label.clear();
  CHECK_THROWS_WITH(batch_loss(BCO{}, batch), Contains("label"));
  batch.third.length[1] = 0;
  CHECK_THROWS_WITH(batch_loss(LOGO{}, batch), Contains("third.length") && Contains("1"));
}
