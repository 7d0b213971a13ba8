#include "solopo/objectives/alphapo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;
#include "solopo/objectives/simpo.hpp"

TEST_CASE("AlphaPO is SimPO at reward_alpha 0 and approaches it") {
  for (const Pair<double>& p : random_pairs(20)) {
    const double simpo = SimPO{.beta = 2.5f, .gamma = 0.5f}(p).loss;
    CHECK(AlphaPO{.reward_alpha = 0}(p).loss == Approx(simpo).epsilon(1e-14));
    CHECK(AlphaPO{.reward_alpha = 1e-6f}(p).loss == Approx(simpo).epsilon(1e-4));
  }
}

TEST_CASE("AlphaPO's reward is (1 - p^-a) / a") {
  const Response<double> y{-12, 0, 8};  // p = e^-1.5
  CHECK(rewards::AlphaLikelihood{2.0f, 0.5f}.value(y) ==
        Approx(2 * (1 - std::exp(0.75)) / 0.5).epsilon(1e-14));
  CHECK(rewards::AlphaLikelihood{2.0f, -0.5f}.value(y) ==
        Approx(2 * (1 - std::exp(-0.75)) / -0.5).epsilon(1e-14));
  for (const float a : {-1.0f, 0.0f, 0.25f, 1.0f})
    CHECK(reward_slope_error(rewards::AlphaLikelihood{2, a}, y) < 1e-8);
  CHECK(is_finite(rewards::AlphaLikelihood{100, 1}.value(Response<float>{-1e4f, 0, 1})));
}

TEST_CASE("AlphaPO has a true gradient, honest needs, and agrees in float") {
  check_objective(AlphaPO{});
  check_objective(AlphaPO{.beta = 1.0f, .gamma = 0.1f, .reward_alpha = -0.5f});
}
