#include "solopo/rewards/log_odds.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using namespace rule_checks;
using rewards::LogOdds;

TEST_CASE("The log-odds reward is 0 at likelihood 1/2 and the log-probability far below") {
  CHECK(LogOdds{}.value(Response<double>{-8 * 0.69314718055994531, 0, 8}) == Approx(0).margin(1e-15));
  CHECK(LogOdds{}.slope(Response<double>{-8 * 0.69314718055994531, 0, 8}) == Approx(2.0 / 8));
  CHECK(LogOdds{}.value(Response<double>{-800, 0, 8}) == -100);
  CHECK(LogOdds{}.slope(Response<double>{-800, 0, 8}) == 0.125);
  CHECK(LogOdds{}.value(Response<float>{-1e4f, 0, 1}) == -1e4f);
}

TEST_CASE("The log-odds reward's slope is its derivative") {
  RandomStream draw(1, "rewards");
  for (int i = 0; i < 200; ++i) CHECK(reward_slope_error(LogOdds{}, random_response(draw)) < 1e-6);
  CHECK(reward_slope_error(LogOdds{}, {-0.008, 0, 8}) < 1e-6);
}

TEMPLATE_TEST_CASE("As the mean log-probability reaches 0 the log-odds stop at ln(1/eps)", "", float,
                   double) {
  using T = TestType;
  const T top = LogOdds{}.value(Response<T>{T(0), T(0), T(8)});
  CHECK(top == Approx(13.815510).epsilon(1e-6));
  for (const T logp : {T(-0.0), T(-1e-30), T(-1e-7), T(1e-7), T(1e-3)}) {
    const Response<T> y{logp, T(0), T(8)};
    CHECK(LogOdds{}.value(y) == top);
    CHECK(LogOdds{}.slope(y) == T(0));
    CHECK(LogOdds{}.clamped(y));
  }
  const Response<T> below{T(-9e-6), T(0), T(8)};
  CHECK_FALSE(LogOdds{}.clamped(below));
  CHECK(LogOdds{}.value(below) < top);
  CHECK(LogOdds{}.slope(below) > T(1e5));
}

TEMPLATE_TEST_CASE("The log-odds grow with the log-probability, up to the clamp", "", float, double) {
  using T = TestType;
  T before = LogOdds{}.value(Response<T>{T(-50), T(0), T(1)});
  for (T x = T(-49); x < T(0); x = x * T(0.9)) {
    const T now = LogOdds{}.value(Response<T>{x, T(0), T(1)});
    CHECK(now >= before);
    before = now;
    if (x > T(-1e-9)) break;
  }
}
