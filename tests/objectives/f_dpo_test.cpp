#include "solopo/objectives/f_dpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;
#include "solopo/objectives/discopop.hpp"
#include "solopo/objectives/exo_pair.hpp"
#include "solopo/objectives/hinge.hpp"
#include "solopo/objectives/ipo.hpp"
#include "solopo/objectives/robust.hpp"
#include "solopo/objectives/sigmoid_norm.hpp"
#include "solopo/objectives/solopo.hpp"

TEST_CASE("f-DPO under the reverse Kullback-Leibler divergence is its base, bit by bit") {
  for (const Pair<double>& p : random_pairs(20)) {
    CHECK(same(FDPO<>{.base = {.beta = 0.3f}}(p), DPO{.beta = 0.3f}(p)));
    CHECK(same(FDPO<>{.divergence = {Divergence::alpha, 1.0f}}(p), DPO{}(p)));
    CHECK(same(FDPO<SigmoidNorm>{}(p), SigmoidNorm{}(p)));
    CHECK(same(FDPO<IPO>{}(p), IPO{}(p)));
  }
}

TEST_CASE("Each divergence transforms the log-ratio by its own function") {
  CHECK(FDivergence{Divergence::forward_kl}.value(0.5) == Approx(1 - std::exp(-0.5)).epsilon(1e-15));
  CHECK(FDivergence{Divergence::js}.value(0.5) == Approx(std::log(2.0) - softplus(-0.5)).epsilon(1e-15));
  CHECK(FDivergence{Divergence::alpha, 0.5f}.value(0.5) ==
        Approx((std::exp(-0.25) - 1) / -0.5).epsilon(1e-14));
  for (const Divergence kind :
       {Divergence::reverse_kl, Divergence::forward_kl, Divergence::js, Divergence::alpha}) {
    const FDivergence g{kind};
    CHECK(g.value(0.0) == Approx(0).margin(1e-16));
    CHECK(g.slope(0.0) == Approx(kind == Divergence::js ? 0.5 : 1));
    CHECK(link_slope_error(g, {-20, -3, -0.4, 0.1, 0.4, 3}) < 1e-7);
    CHECK(is_finite(g.value(-1e4f)));
  }
}

TEST_CASE("Divergences close to order 1 approach the reverse Kullback-Leibler one") {
  for (const double x : {-3.0, 0.2, 4.0})
    CHECK(FDivergence{Divergence::alpha, 0.9999f}.value(x) == Approx(x).epsilon(1e-3));
}

TEMPLATE_TEST_CASE("f-DPO has a true gradient, honest needs, and agrees in float", "", DPO, RobustDPO, Hinge,
                   SigmoidNorm, EXO) {
  for (const Divergence kind : {Divergence::forward_kl, Divergence::js, Divergence::alpha}) {
    check_gradient(FDPO<TestType>{.divergence = {kind, 0.5f}});
    check_float(FDPO<TestType>{.divergence = {kind, 0.5f}});
  }
  check_needs(FDPO<TestType>{.divergence = {Divergence::js}}, FDPO<TestType>::needs);
}

TEST_CASE("f-DPO gives SoLoPO its transformed reward") {
  const FDPO<DiscoPOP> base{.divergence = {Divergence::js}};
  const Response<double> y{-12, -13, 8};
  CHECK(base.reward().value(y) == Approx(double(0.05f) * (std::log(2.0) - softplus(-1.0))).epsilon(1e-14));
  check_gradient(SoLoPO<FDPO<>>{.base = {.divergence = {Divergence::js}}, .alpha = 2.0f});
}
