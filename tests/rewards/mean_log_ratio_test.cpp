#include "solopo/rewards/mean_log_ratio.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using namespace rule_checks;

TEST_CASE("The mean log-ratio reward divides by the response's own length") {
  const rewards::MeanLogRatio r{.beta = 0.5f};
  CHECK(r.value(Response<double>{-12, -14, 8}) == 0.125);
  CHECK(r.slope(Response<double>{-12, -14, 8}) == 0.0625);
  CHECK(r.value(Response<float>{-12, -14, 1}) == 1.f);
}

TEST_CASE("The mean log-ratio reward's slope is its derivative") {
  RandomStream draw(1, "rewards");
  for (int i = 0; i < 50; ++i) {
    CHECK(reward_slope_error(rewards::MeanLogRatio{.beta = 0.1f}, random_response(draw)) < 1e-6);
  }
}
