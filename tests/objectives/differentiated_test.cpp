#include "solopo/objectives/differentiated.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

namespace {

struct DPOLoss {
  float beta = 0.1f;
  rewards::LogRatio reward() const noexcept { return {beta}; }
  auto operator()(auto p) const {
    return softplus(-beta * ((p.chosen.logp - p.chosen.ref_logp) - (p.rejected.logp - p.rejected.ref_logp)));
  }
};

struct ORPOLoss {
  float lambda = 0.1f;
  static constexpr Needs needs = Needs::chosen | Needs::rejected;
  auto operator()(auto p) const {
    const auto w = p.chosen.logp / p.chosen.length, l = p.rejected.logp / p.rejected.length;
    return -w - lambda * log_sigmoid(w - log1mexp(w) - (l - log1mexp(l)));
  }
};

bool close(const PairLoss<double>& a, const PairLoss<double>& b) {
  return relative_error(a.loss, b.loss, 1) < 1e-12 && relative_error(a.chosen, b.chosen) < 1e-11 &&
         relative_error(a.rejected, b.rejected) < 1e-11 &&
         relative_error(a.chosen_long, b.chosen_long) < 1e-11 &&
         relative_error(a.rejected_long, b.rejected_long) < 1e-11;
}

}  // namespace

TEST_CASE("A loss differentiated by dual numbers equals the objective written by hand") {
  for (const Pair<double>& p : random_pairs(50)) {
    CHECK(close(Differentiated<DPOLoss>{}(p), DPO{}(p)));
    CHECK(close(Differentiated<ORPOLoss>{}(p), ORPO{}(p)));
    CHECK_FALSE(close(Differentiated<DPOLoss>{}(p), WrongSign<DPO>{}(p)));
  }
}

TEST_CASE("A differentiated loss works in float") { check_float(Differentiated<ORPOLoss>{{.lambda = 0.5f}}); }

TEST_CASE("A loss that names no needs reads the pair and its references") {
  CHECK(Differentiated<DPOLoss>::needs == DPO::needs);
  CHECK(Differentiated<ORPOLoss>::needs == (Needs::chosen | Needs::rejected));
}

TEST_CASE("A differentiated loss with a reward can be wrapped by SoLoPO, one without cannot") {
  CHECK(RewardObjective<Differentiated<DPOLoss>>);
  CHECK(PreferenceObjective<Differentiated<ORPOLoss>>);
  CHECK_FALSE(RewardObjective<Differentiated<ORPOLoss>>);
  const SoLoPO<Differentiated<DPOLoss>> wrapped{.base = {{.beta = 0.5f}}, .alpha = 3.f};
  const SoLoPO<DPO> reference{.base = {.beta = 0.5f}, .alpha = 3.f};
  for (const Pair<double>& p : random_pairs(20)) CHECK(close(wrapped(p), reference(p)));
}
