#include "solopo/core/dual.hpp"

#include "catch.hpp"
#include "rule_checks.hpp"

using solopo::Dual;
using D = Dual<double>;

namespace {

// Largest relative error of a dual derivative against central differences at a few points.
template <class F>
double error(F f, std::initializer_list<double> points) {
  double worst = 0;
  for (const double x : points) {
    const D y = f(D::variable(x));
    worst = std::max(
        worst, rule_checks::relative_error(
                   y.slope[0], rule_checks::central_difference([&](double v) { return f(D(v)).value; }, x)));
  }
  return worst;
}

}  // namespace

TEST_CASE("Dual arithmetic differentiates") {
  CHECK(error([](D x) { return 3 * x * x - x / 2 + 1; }, {-2, 0, 0.3}) < 1e-9);
  CHECK(error([](D x) { return (x - 1) / (x * x + 2); }, {-2, 0, 0.3}) < 1e-9);
  CHECK(error(
            [](D x) {
              D y = x;
              y += 2;
              y *= x;
              y -= x / 3;
              y /= x + 10;
              return -y;
            },
            {-2, 0, 0.3}) < 1e-9);
}

TEST_CASE("Dual functions differentiate") {
  CHECK(error([](D x) { return exp(x) + expm1(2 * x) + tanh(x); }, {-2, 0, 0.7}) < 1e-9);
  CHECK(error([](D x) { return log(x) + log1p(x) + sqrt(x) + pow(x, 1.5); }, {0.2, 1, 3}) < 1e-9);
  CHECK(error([](D x) { return softplus(x) + sigmoid(2 * x) + log_sigmoid(-x); }, {-30, -2, 0, 0.7, 30}) <
        1e-9);
  CHECK(error([](D x) { return log1mexp(x); }, {-8, -0.75, -0.65, -0.1}) < 1e-8);
  CHECK(error([](D x) { return abs(x) + max(x, D(1)) + min(x, D(-1)); }, {-2, -0.5, 0.5, 2}) < 1e-9);
}

TEST_CASE("A wrong derivative is noticed") {
  CHECK(error([](D x) { return x.chain(x.value * x.value, x.value); }, {1.0}) > 0.1);
}

TEST_CASE("A dual keeps its directions apart") {
  const auto x = Dual<double, 2>::variable(3, 0), y = Dual<double, 2>::variable(5, 1);
  const auto f = x * y + exp(x - 3);
  CHECK(f.value == 16);
  CHECK(f.slope[0] == 6);
  CHECK(f.slope[1] == 3);
}

TEST_CASE("At a kink a dual takes the slope of least magnitude") {
  const D x = D::variable(0);
  CHECK(abs(x).slope[0] == 0);
  CHECK(max(x, -x).slope[0] == 0);
  CHECK(max(x, D(0)).slope[0] == 0);
  CHECK(max(D(0), x).slope[0] == 0);
  CHECK(max(2 * x, 3 * x).slope[0] == 2);
  CHECK(min(-2 * x, -3 * x).slope[0] == -2);
}

TEST_CASE("Plain numbers mix with duals and compare by value") {
  const Dual<float> x = Dual<float>::variable(2);
  CHECK((0.5 * x + 1).value == 2.f);
  CHECK(x > 1);
  CHECK(1 <= x);
  CHECK(x == 2);
}
