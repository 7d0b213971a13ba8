#include <cmath>
#include <vector>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"
#include "solopo/kernels/rms_norm.hpp"
#include "solopo/kernels/rotary.hpp"
#include "solopo/kernels/softmax.hpp"
#include "solopo/kernels/swiglu.hpp"
#include "solopo/kernels/team.hpp"

using namespace solopo;
using kernels::CpuTeam;

namespace {
constexpr CpuTeam team;
constexpr int sizes[] = {1, 7, 16, 17, 37};
}  // namespace

TEST_CASE("a team's sum and max cover every element at any length") {
  for (const int n : {1, 15, 16, 17, 31, 32, 100}) {
    const auto x = test::normal_values<double>(n, "x");
    double sum = 0, top = x[0];
    for (const double v : x) {
      sum += v;
      top = std::max(top, v);
    }
    CHECK(team.sum<double>(n, [&](int i) { return x[i]; }) == Approx(sum).epsilon(1e-13));
    CHECK(team.max<double>(n, -1e300, [&](int i) { return x[i]; }) == top);
  }
}

TEST_CASE("rms_norm: unit mean square before the weight, and its gradient") {
  for (const int n : sizes) {
    auto x = test::normal_values<double>(n, "x"), w = test::normal_values<double>(n, "w");
    const auto dy = test::normal_values<double>(n, "dy");
    std::vector<double> y(n), ones(n, 1.0);
    kernels::rms_norm_row(team, x.data(), ones.data(), y.data(), n, 0.0);
    double squares = 0;
    for (const double v : y) squares += v * v;
    CHECK(squares / n == Approx(1.0));

    std::vector<double> dx(n, 0.0), dw(n);
    const double s = kernels::rms_norm_row_backward(team, x.data(), w.data(), dy.data(), dx.data(), n, 1e-5);
    for (int i = 0; i < n; ++i) dw[i] = dy[i] * x[i] * s;
    const auto loss = [&] {
      kernels::rms_norm_row(team, x.data(), w.data(), y.data(), n, 1e-5);
      double sum = 0;
      for (int i = 0; i < n; ++i) sum += y[i] * dy[i];
      return sum;
    };
    CHECK(test::worst_gradient_error(x, dx, loss) < 1e-6);
    CHECK(test::worst_gradient_error(w, dw, loss) < 1e-6);
  }
}

TEST_CASE("swiglu's gradient equals central differences and it gives h again") {
  for (const int n : sizes) {
    auto g = test::normal_values<double>(n, "g", 3.0), u = test::normal_values<double>(n, "u");
    const auto dh = test::normal_values<double>(n, "dh");
    std::vector<double> h(n), again(n), dg(n), du(n);
    kernels::swiglu_row(team, g.data(), u.data(), h.data(), n);
    kernels::swiglu_row_backward(team, g.data(), u.data(), dh.data(), again.data(), dg.data(), du.data(), n);
    const auto loss = [&] {
      std::vector<double> y(n);
      kernels::swiglu_row(team, g.data(), u.data(), y.data(), n);
      double sum = 0;
      for (int i = 0; i < n; ++i) sum += y[i] * dh[i];
      return sum;
    };
    CHECK(test::worst_gradient_error(g, dg, loss) < 1e-6);
    CHECK(test::worst_gradient_error(u, du, loss) < 1e-6);
    for (int i = 0; i < n; ++i) CHECK(again[i] == Approx(h[i]).epsilon(1e-14));
  }
  const float g[] = {-1e4f, 1e4f}, u[] = {2.0f, 2.0f};
  float h[2];
  kernels::swiglu_row(team, g, u, h, 2);
  CHECK(std::abs(h[0]) < 1e-6f);
  CHECK(h[1] == 2e4f);
}

TEST_CASE("rotary: keeps norms, is undone by the other direction, and depends on distances only") {
  const int d = 8;
  const kernels::RotaryTable<double> table(64, d, 10000.0);
  auto q = test::normal_values<double>(d, "q"), k = test::normal_values<double>(d, "k");
  const auto rotated_dot = [&](int pq, int pk) {
    auto a = q, b = k;
    kernels::rotary_head(team, a.data(), table.cos(pq), table.sin(pq), d, 1.0);
    kernels::rotary_head(team, b.data(), table.cos(pk), table.sin(pk), d, 1.0);
    double sum = 0;
    for (int i = 0; i < d; ++i) sum += a[i] * b[i];
    return sum;
  };
  CHECK(rotated_dot(3, 1) == Approx(rotated_dot(42, 40)));
  CHECK(rotated_dot(3, 1) != Approx(rotated_dot(3, 2)));
  auto a = q;
  kernels::rotary_head(team, a.data(), table.cos(17), table.sin(17), d, 1.0);
  CHECK(a[0] == Approx(q[0] * std::cos(17.0) - q[d / 2] * std::sin(17.0)));
  kernels::rotary_head(team, a.data(), table.cos(17), table.sin(17), d, -1.0);
  for (int i = 0; i < d; ++i) CHECK(a[i] == Approx(q[i]));
}

TEST_CASE("log_sum_exp: equals the plain formula, and logits of 1e4 stay finite") {
  const auto z = test::normal_values<float>(1000, "z", 5.0);
  double sum = 0;
  for (const float v : z) sum += std::exp(double(v));
  CHECK(kernels::log_sum_exp_row(team, z.data(), 1000) == Approx(std::log(sum)).epsilon(1e-6));
  const float one[] = {3.5f}, big[] = {1e4f, -1e4f, 1e4f};
  CHECK(kernels::log_sum_exp_row(team, one, 1) == 3.5f);
  CHECK(kernels::log_sum_exp_row(team, big, 3) == Approx(1e4 + std::log(2.0)));
}

TEST_CASE("the gradient of a log-probability sums to zero over the vocabulary") {
  auto z = test::normal_values<double>(50, "z");
  const double lse = kernels::log_sum_exp_row(team, z.data(), 50);
  const double p7 = std::exp(z[7] - lse);
  kernels::log_softmax_gradient_row(team, z.data(), 50, lse, 7, 2.0, z.data());
  double sum = 0;
  for (const double v : z) sum += v;
  CHECK(sum == Approx(0.0).margin(1e-12));
  CHECK(z[7] == Approx(2.0 * (1 - p7)));
}
