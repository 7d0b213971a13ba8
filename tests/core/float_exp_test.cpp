#include "solopo/core/float_exp.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"

namespace {

// Distance from the exact value, in units of the last place of a float there.
double ulps(float result, double exact) {
  const float nearest = static_cast<float>(exact);
  const float place =
      std::nextafter(std::abs(nearest), std::numeric_limits<float>::infinity()) - std::abs(nearest);
  return std::abs(static_cast<double>(result) - exact) / static_cast<double>(place);
}

// The largest error of f over every 61st float from `from` up to `to`, both positive; f gets each negated
// when `negate`.
template <class F, class Exact>
double worst(float from, float to, bool negate, F f, Exact exact) {
  double largest = 0;
  for (std::uint32_t b = solopo::float_detail::bits(from); b <= solopo::float_detail::bits(to); b += 61) {
    const float x = negate ? -solopo::float_detail::of_bits(b) : solopo::float_detail::of_bits(b);
    largest = std::max(largest, ulps(f(x), exact(static_cast<double>(x))));
  }
  return largest;
}

}  // namespace

TEST_CASE("The exponential of a float keeps its stated error over its whole range") {
  CHECK(worst(
            1e-30f, 87.336f, true, [](float x) { return solopo::exp_nonpositive(x); },
            [](double x) { return std::exp(x); }) <= 1.1);
  CHECK(worst(
            1e-30f, 1e4f, true, [](float x) { return solopo::expm1_nonpositive(x); },
            [](double x) { return std::expm1(x); }) <= 1.5);
}

TEST_CASE("The logarithms of a float keep their stated error over their whole range") {
  CHECK(worst(
            1e-30f, 1.0f, false, [](float y) { return solopo::log1p_unit(y); },
            [](double y) { return std::log1p(y); }) <= 1.4);
  CHECK(worst(
            1e-37f, 0.999f, false, [](float q) { return solopo::float_detail::log_below_1(q); },
            [](double q) { return std::log(q); }) <= 2);
}

TEST_CASE("The float functions have their limits and propagate NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(solopo::exp_nonpositive(0.0f) == 1.0f);
  CHECK(solopo::exp_nonpositive(-87.33f) > 0.0f);
  for (const float far : {-87.34f, -1e4f, -3e38f, -infinity}) {
    CHECK(solopo::exp_nonpositive(far) == 0.0f);
    CHECK(solopo::expm1_nonpositive(far) == -1.0f);
  }
  CHECK(solopo::expm1_nonpositive(0.0f) == 0.0f);
  CHECK(solopo::expm1_nonpositive(-1e-40f) == -1e-40f);
  CHECK(solopo::log1p_unit(0.0f) == 0.0f);
  CHECK(solopo::log1p_unit(1e-40f) == 1e-40f);
  CHECK(solopo::log1p_unit(1.0f) == 0.693147181f);
  CHECK(solopo::float_detail::log_below_1(1e-40f) == Approx(std::log(1e-40f)).epsilon(1e-7));
  CHECK(std::isnan(solopo::exp_nonpositive(std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(solopo::log1p_unit(std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("A double goes to the standard library") {
  CHECK(solopo::exp_nonpositive(-1.5) == std::exp(-1.5));
  CHECK(solopo::expm1_nonpositive(-1.5) == std::expm1(-1.5));
  CHECK(solopo::log1p_unit(0.3) == std::log1p(0.3));
}
