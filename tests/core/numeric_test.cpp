#include "solopo/core/numeric.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"

namespace {

// Distance of a result from the exact value, in units of the last place of T at that value.
template <class T>
double ulps(T result, long double exact) {
  const T nearest = static_cast<T>(exact);
  const T place = std::nextafter(std::abs(nearest), std::numeric_limits<T>::infinity()) - std::abs(nearest);
  return static_cast<double>(std::abs(static_cast<long double>(result) - exact) /
                             static_cast<long double>(place));
}

// Both signs, from tiny to `largest`, 40 points a decade.
std::vector<double> points(double smallest, double largest) {
  std::vector<double> out;
  for (double x = smallest; x <= largest; x *= std::pow(10.0, 1.0 / 40)) {
    out.push_back(x);
    out.push_back(-x);
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("softplus and sigmoid keep their stated error", "", float, double) {
  using T = TestType;
  const double range = std::is_same_v<T, float> ? 80 : 700;
  double worst_softplus = 0, worst_sigmoid = 0;
  for (const double point : points(1e-12, range)) {
    const T x = static_cast<T>(point);
    const auto l = static_cast<long double>(x);
    const long double e = std::exp(-std::abs(l));
    worst_softplus = std::max(worst_softplus, ulps(solopo::softplus(x), std::max(l, 0.0L) + std::log1p(e)));
    worst_sigmoid = std::max(worst_sigmoid, ulps(solopo::sigmoid(x), (l >= 0 ? 1 : e) / (1 + e)));
  }
  CHECK(worst_softplus <= 2);
  CHECK(worst_sigmoid <= 3);
}

TEMPLATE_TEST_CASE("log1mexp keeps its stated error on both sides of -ln 2", "", float, double) {
  using T = TestType;
  const double smallest = std::is_same_v<T, float> ? 1e-30 : 1e-300;
  double worst = 0;
  std::vector<double> xs{-0.6931471, -0.69314718055994531, -0.6931472, -0.69315, -0.693};
  for (const double point : points(smallest, std::is_same_v<T, float> ? 80 : 700))
    xs.push_back(-std::abs(point));
  for (const double point : xs) {
    const T x = static_cast<T>(point);
    const auto l = static_cast<long double>(x);
    const long double exact = l > -0.5L ? std::log(-std::expm1(l)) : std::log1p(-std::exp(l));
    worst = std::max(worst, ulps(solopo::log1mexp(x), exact));
  }
  CHECK(worst <= 2);
}

TEMPLATE_TEST_CASE("The scalar functions have their limits", "", float, double) {
  using T = TestType;
  const T far = T(1e4), ln2 = T(0.69314718055994530942);
  CHECK(solopo::softplus(T(0)) == ln2);
  CHECK(solopo::softplus(far) == far);
  CHECK(solopo::softplus(-far) == T(0));
  CHECK(solopo::sigmoid(T(0)) == T(0.5));
  CHECK(solopo::sigmoid(far) == T(1));
  CHECK(solopo::sigmoid(-far) == T(0));
  CHECK(solopo::log_sigmoid(-far) == -far);
  CHECK(solopo::log_sigmoid(far) == T(0));
  CHECK(solopo::log1mexp(-far) == T(0));
  CHECK(solopo::log1mexp(-std::numeric_limits<T>::infinity()) == T(0));
  CHECK(solopo::log1mexp(T(0)) == -std::numeric_limits<T>::infinity());
  CHECK(std::isnan(solopo::log1mexp(T(1))));
  CHECK(solopo::log1mexp(-ln2) == Approx(-std::log(2.0)));
}

TEMPLATE_TEST_CASE("is_finite tells numbers from NaN and infinities", "", float, double) {
  using L = std::numeric_limits<TestType>;
  CHECK(solopo::is_finite(TestType(0)));
  CHECK(solopo::is_finite(-L::max()));
  CHECK(solopo::is_finite(L::denorm_min()));
  CHECK_FALSE(solopo::is_finite(L::infinity()));
  CHECK_FALSE(solopo::is_finite(-L::infinity()));
  CHECK_FALSE(solopo::is_finite(L::quiet_NaN()));
}

TEMPLATE_TEST_CASE("The difference of equal products is exactly 0, also where the compiler fuses them", "",
                   float, double) {
  for (int i = 1; i < 100; ++i) {
    const TestType beta = TestType(0.1), x = TestType(-1.7) * TestType(i) / TestType(3), y = x;
    CHECK(solopo::exact_difference(beta * x, beta * y) == TestType(0));
  }
  CHECK(solopo::exact_difference(TestType(3), TestType(5)) == TestType(-2));
}
