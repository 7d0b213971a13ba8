#include "solopo/backends/response_logps.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;
using Catch::Matchers::Contains;

TEST_CASE("Each response's log-probability is the sum over its own tokens") {
  const std::vector<float> tokens{-1, -2, -4, -8, -16};
  const std::size_t offsets[] = {0, 2, 2, 5};
  CHECK(response_logps(tokens, offsets) == std::vector<float>{-3, 0, -28});
  CHECK(response_lengths(tokens, offsets) == std::vector<float>{2, 0, 3});
}

TEST_CASE("The adjoint sends each response's derivative to its tokens") {
  const std::size_t offsets[] = {0, 2, 2, 5};
  CHECK(response_logps_adjoint(std::vector<double>{0.5, 9, -1}, offsets) ==
        std::vector<double>{0.5, 0.5, -1, -1, -1});
}

TEST_CASE("Sum and adjoint agree: <sum x, y> = <x, adjoint y>") {
  RandomStream draw(4, "adjoint");
  std::vector<double> x(50), y(7);
  for (double& v : x) v = draw.normal();
  for (double& v : y) v = draw.normal();
  const std::size_t offsets[] = {0, 3, 3, 10, 20, 21, 49, 50};
  const auto sums = response_logps(x, offsets), spread = response_logps_adjoint(y, offsets);
  double left = 0, right = 0;
  for (std::size_t i = 0; i < y.size(); ++i) left += sums[i] * y[i];
  for (std::size_t i = 0; i < x.size(); ++i) right += x[i] * spread[i];
  CHECK(left == Approx(right).epsilon(1e-13));
}

TEST_CASE("Many small float terms are added without losing digits") {
  const std::vector<float> tokens(1'000'000, -0.1f);
  const std::size_t offsets[] = {0, tokens.size()};
  CHECK(response_logps(tokens, offsets)[0] == Approx(-1e6 * static_cast<double>(0.1f)).epsilon(1e-7));
}

TEST_CASE("Offsets that do not fit are refused by index") {
  const std::vector<float> tokens(4, -1.f);
  const auto sum = [&](std::vector<std::size_t> offsets) { return response_logps(tokens, offsets); };
  CHECK_THROWS_WITH(sum({}), Contains("offsets[0]"));
  CHECK_THROWS_WITH(sum({1, 4}), Contains("offsets[0]: must be 0"));
  CHECK_THROWS_WITH(sum({0, 3, 2, 4}), Contains("offsets[2]: 2 is below its predecessor"));
  CHECK_THROWS_WITH(sum({0, 3}), Contains("offsets[1]: is 3 but there are 4 tokens"));
  CHECK_THROWS_WITH(sum({0, 5}), Contains("offsets[1]"));
  const std::size_t offsets[] = {0, 2, 4};
  CHECK_THROWS_WITH(response_logps_adjoint(std::vector<float>(3), offsets),
                    Contains("dlogps: has 3 entries"));
}
