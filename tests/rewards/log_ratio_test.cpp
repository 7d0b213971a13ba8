#include "solopo/rewards/log_ratio.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using namespace rule_checks;

TEST_CASE("The log-ratio reward is beta times the summed log-ratio") {
  const rewards::LogRatio r{.beta = 0.5f};
  CHECK(r.value(Response<double>{-12, -13, 8}) == 0.5);
  CHECK(r.slope(Response<double>{-12, -13, 8}) == 0.5);
  CHECK(r.value(Response<float>{-7, -7, 3}) == 0.f);
}

TEST_CASE("The log-ratio reward's slope is its derivative") {
  RandomStream draw(1, "rewards");
  for (int i = 0; i < 50; ++i)
    CHECK(reward_slope_error(rewards::LogRatio{.beta = 0.1f}, random_response(draw)) < 1e-6);
}
