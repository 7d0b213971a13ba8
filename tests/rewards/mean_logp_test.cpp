#include "solopo/rewards/mean_logp.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using namespace rule_checks;

TEST_CASE("The mean log-probability reward ignores the reference") {
  const rewards::MeanLogp r{.beta = 2.0f};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(rewards::MeanLogp::reads_reference);
  CHECK(r.value(Response<double>{-12, nan, 8}) == -3);
  CHECK(r.slope(Response<double>{-12, nan, 8}) == 0.25);
}

TEST_CASE("The mean log-probability reward's slope is its derivative") {
  RandomStream draw(1, "rewards");
  for (int i = 0; i < 50; ++i)
    CHECK(reward_slope_error(rewards::MeanLogp{2.0f}, random_response(draw)) < 1e-6);
}
