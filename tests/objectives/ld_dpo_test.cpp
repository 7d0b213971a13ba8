#include "solopo/objectives/ld_dpo.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/differentiated.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

namespace {
struct LDLoss {
  [[maybe_unused]] static constexpr Needs needs = LDDPO::needs;
  template <class T>
  auto operator()(const Pair<T>& p) const {
    const auto ld = [](const Response<T>& y) {
      return (y.logp + y.statistic) * 0.5 - (y.ref_logp + y.ref_statistic) * 0.5;
    };
    return softplus((ld(p.rejected) - ld(p.chosen)) * 0.25);
  }
};
}  // namespace

TEST_CASE("LD-DPO counts what follows the shorter length by ld_alpha") {
  Pair<double> p = simple_pair<double>();  // chosen -12 (ref -13) of 8 tokens, rejected -20 (-18) of 10
  p.chosen.statistic = -12;                // the shorter one is all head
  p.chosen.ref_statistic = -13;
  p.rejected.statistic = -15;
  p.rejected.ref_statistic = -14;
  const PairLoss<double> g = LDDPO{.beta = 0.5f, .ld_alpha = 0.25f}(p);
  const double rejected = (0.25 * -20 + 0.75 * -15) - (0.25 * -18 + 0.75 * -14);
  CHECK(g.loss == Approx(softplus(-0.5 * (1 - rejected))).epsilon(1e-14));
  CHECK(g.by_statistic[1] == Approx(3 * g.rejected).epsilon(1e-14));
  const PairLoss<double> policy =
      LDDPO{.beta = 0.5f, .ld_alpha = 0.25f, .desensitise = Desensitise::policy}(p);
  CHECK(policy.loss == Approx(softplus(-0.5 * (1 - (0.25 * -20 + 0.75 * -15 + 18)))).epsilon(1e-14));
}

TEST_CASE("LD-DPO with ld_alpha 1 is DPO") {
  for (const Pair<double>& p : random_pairs(10)) {
    const PairLoss<double> ld = LDDPO{.beta = 0.3f, .ld_alpha = 1}(p), dpo = DPO{.beta = 0.3f}(p);
    CHECK(ld.loss == Approx(dpo.loss).epsilon(1e-14));
    CHECK(ld.chosen == Approx(dpo.chosen).epsilon(1e-14));
    CHECK(ld.by_statistic[0] == 0);
  }
}

TEST_CASE("LD-DPO has a true gradient, honest needs, and agrees in float") {
  check_objective(LDDPO{});
  check_objective(LDDPO{.beta = 0.5f, .ld_alpha = 0.2f, .label_smoothing = 0.1f});
  check_gradient(LDDPO{.desensitise = Desensitise::policy});
  check_objective(SoLoPO<LDDPO, Squared, AlignBoth>{.base = {.beta = 0.3f, .ld_alpha = 0.4f}});
}

TEST_CASE("A differentiated loss has derivatives by statistics too") {
  for (const Pair<double>& p : random_pairs(10)) {
    const PairLoss<double> a = Differentiated<LDLoss>{}(p), b = LDDPO{.beta = 0.25f}(p);
    CHECK(a.loss == Approx(b.loss).epsilon(1e-13));
    for (unsigned r = 0; r < 2; ++r) CHECK(a.by_statistic[r] == Approx(b.by_statistic[r]).epsilon(1e-13));
  }
}

TEST_CASE("LD-DPO with a squared alignment that stops the short side leaves its statistic alone") {
  const SoLoPO<LDDPO, Squared> full{.alpha = 2}, stopped{.alpha = 2, .stop_short_gradient = true};
  for (const Pair<double>& p : random_pairs(10)) {
    CHECK(stopped(p).by_statistic[0] == Approx(LDDPO{}(p).by_statistic[0]).epsilon(1e-13));
    CHECK(stopped(p).by_statistic[2] == full(p).by_statistic[2]);
  }
}
