#include "solopo/kernels/lm_head.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"

using namespace solopo;

namespace {
// One row at a time, straight from the definition.
double naive_logp(const double* h, const std::vector<double>& w, int vocab, int width, int target) {
  double sum = 0, at_target = 0;
  for (int t = 0; t < vocab; ++t) {
    double z = 0;
    for (int i = 0; i < width; ++i) z += h[i] * w[std::size_t(t) * width + i];
    sum += std::exp(z);
    if (t == target) at_target = z;
  }
  return at_target - std::log(sum);
}
}  // namespace

TEST_CASE("the tiled head equals the definition and its gradient equals central differences") {
  const int width = 5, vocab = 11;
  for (const int rows : {1, 64, 65}) {
    CAPTURE(rows);
    auto h = test::normal_values<double>(std::size_t(rows) * width, "h");
    auto w = test::normal_values<double>(std::size_t(vocab) * width, "w");
    const auto targets = test::random_tokens(rows, vocab, "t");
    const auto c = test::normal_values<double>(rows, "c");
    std::vector<double> logps(rows), lse(rows), dh(h.size()), dw(w.size(), 0.0);
    kernels::AlignedVector<double> logits;
    const auto hv = dense<const double>(h.data(), rows, width),
               wv = dense<const double>(w.data(), vocab, width);
    kernels::lm_head_forward<double>(hv, wv, targets, logps, lse, logits);
    for (int r = 0; r < rows; ++r)
      REQUIRE(logps[r] == Approx(naive_logp(&h[std::size_t(r) * width], w, vocab, width, targets[r])));

    kernels::lm_head_backward<double>(hv, wv, targets, c, lse, dense(dh.data(), rows, width),
                                      dense(dw.data(), vocab, width), logits);
    const auto loss = [&] {
      double sum = 0;
      for (int r = 0; r < rows; ++r)
        sum += c[r] * naive_logp(&h[std::size_t(r) * width], w, vocab, width, targets[r]);
      return sum;
    };
    CHECK(test::worst_gradient_error(h, dh, loss) < 1e-6);
    CHECK(test::worst_gradient_error(w, dw, loss) < 1e-6);
  }
}

namespace {

// log softmax of a row, straight from the definition.
std::vector<double> naive_log_softmax(const double* h, const std::vector<double>& w, int vocab, int width) {
  std::vector<double> z(static_cast<std::size_t>(vocab));
  double sum = 0;
  for (int t = 0; t < vocab; ++t) {
    for (int i = 0; i < width; ++i) z[t] += h[i] * w[std::size_t(t) * width + i];
    sum += std::exp(z[t]);
  }
  for (double& x : z) x -= std::log(sum);
  return z;
}

}  // namespace

TEST_CASE("statistics of rows equal their definitions and their gradients equal central differences") {
  const int width = 5, vocab = 11, reference_width = 3;
  for (const int rows : {1, 64, 67}) {
    for (const Statistic kind : {Statistic::collision_logp, Statistic::sequential_kl}) {
      CAPTURE(rows, static_cast<int>(kind));
      auto h = test::normal_values<double>(std::size_t(rows) * width, "h");
      auto w = test::normal_values<double>(std::size_t(vocab) * width, "w");
      const auto rh = test::normal_values<double>(std::size_t(rows) * reference_width, "rh");
      const auto rw = test::normal_values<double>(std::size_t(vocab) * reference_width, "rw");
      const auto targets = test::random_tokens(rows, vocab, "t");
      const auto c = test::normal_values<double>(rows, "c"), e = test::normal_values<double>(rows, "e");
      const kernels::RowStatistic<double> statistic{
          .kind = kind,
          .reference = {dense<const double>(rh.data(), rows, reference_width),
                        dense<const double>(rw.data(), vocab, reference_width)}};
      const auto naive = [&](int r) {
        const auto p = naive_log_softmax(&h[std::size_t(r) * width], w, vocab, width);
        const auto q = naive_log_softmax(&rh[std::size_t(r) * reference_width], rw, vocab, reference_width);
        double squares = 0, divergence = 0;
        for (int t = 0; t < vocab; ++t) {
          squares += std::exp(2 * p[t]);
          divergence += std::exp(q[t]) * (q[t] - p[t]);
        }
        return kind == Statistic::collision_logp ? std::log(squares) : divergence;
      };
      std::vector<double> logps(rows), plain(rows), lse(2 * rows), stats(rows), dh(h.size()),
          dw(w.size(), 0.0);
      kernels::AlignedVector<double> logits;
      const auto hv = dense<const double>(h.data(), rows, width),
                 wv = dense<const double>(w.data(), vocab, width);
      kernels::lm_head_forward<double>(hv, wv, targets, plain, lse, logits);
      kernels::lm_head_forward<double>(hv, wv, targets, logps, lse, logits, statistic, stats);
      CHECK(plain == logps);
      for (int r = 0; r < rows; ++r) REQUIRE(stats[r] == Approx(naive(r)).epsilon(1e-12));
      kernels::lm_head_backward<double>(hv, wv, targets, c, lse, dense(dh.data(), rows, width),
                                        dense(dw.data(), vocab, width), logits, statistic, stats, e);
      const auto loss = [&] {
        double sum = 0;
        for (int r = 0; r < rows; ++r)
          sum += c[r] * naive_logp(&h[std::size_t(r) * width], w, vocab, width, targets[r]) + e[r] * naive(r);
        return sum;
      };
      CHECK(test::worst_gradient_error(h, dh, loss) < 1e-6);
      CHECK(test::worst_gradient_error(w, dw, loss) < 1e-6);
      for (double& x : dw) x = -x;
      CHECK(test::worst_gradient_error(w, dw, loss) > 1e-2);
    }
  }
}

TEST_CASE("tiles of logits join: several of rows and of vocabulary equal the definition, and memory is one") {
  const int width = 3, vocab = 2 * kernels::head_tile_columns + 5, rows = kernels::head_tile_rows + 3;
  const auto h = test::normal_values<double>(std::size_t(rows) * width, "h");
  const auto w = test::normal_values<double>(std::size_t(vocab) * width, "w");
  const auto rh = test::normal_values<double>(std::size_t(rows) * width, "rh");
  const auto targets = test::random_tokens(rows, vocab, "t");
  const auto c = test::normal_values<double>(rows, "c"), e = test::normal_values<double>(rows, "e");
  const auto hv = dense<const double>(h.data(), rows, width),
             wv = dense<const double>(w.data(), vocab, width);
  for (const Statistic kind : {Statistic::none, Statistic::collision_logp, Statistic::sequential_kl}) {
    CAPTURE(static_cast<int>(kind));
    const kernels::RowStatistic<double> statistic{
        .kind = kind, .reference = {dense<const double>(rh.data(), rows, width), wv}};
    const std::size_t tiles = statistic.compares() ? 2 : 1;
    std::vector<double> logps(rows), lse(kernels::log_sum_exp_size(rows, statistic)), stats(rows),
        dh(h.size()), dw(w.size(), 0.0), expected_dh(h.size()), expected_dw(w.size());
    kernels::AlignedVector<double> logits;
    kernels::lm_head_forward<double>(hv, wv, targets, logps, lse, logits, statistic, stats);
    kernels::lm_head_backward<double>(hv, wv, targets, c, lse, dense(dh.data(), rows, width),
                                      dense(dw.data(), vocab, width), logits, statistic, stats, e);
    CHECK(logits.size() == tiles * kernels::head_tile_rows * kernels::head_tile_columns);
    for (int r = 0; r < rows; ++r) {
      const auto p = naive_log_softmax(&h[std::size_t(r) * width], w, vocab, width);
      const auto q = naive_log_softmax(&rh[std::size_t(r) * width], w, vocab, width);
      double squares = 0, divergence = 0;
      for (int t = 0; t < vocab; ++t) {
        squares += std::exp(2 * p[t]);
        divergence += std::exp(q[t]) * (q[t] - p[t]);
      }
      REQUIRE(logps[r] == Approx(p[targets[r]]).epsilon(1e-12));
      if (kind == Statistic::collision_logp) REQUIRE(stats[r] == Approx(std::log(squares)).epsilon(1e-12));
      if (kind == Statistic::sequential_kl) REQUIRE(stats[r] == Approx(divergence).epsilon(1e-11));
      for (int t = 0; t < vocab; ++t) {
        double dz = c[r] * ((t == targets[r] ? 1 : 0) - std::exp(p[t]));
        if (kind == Statistic::collision_logp)
          dz += e[r] * 2 * (std::exp(2 * p[t]) / squares - std::exp(p[t]));
        if (kind == Statistic::sequential_kl) dz += e[r] * (std::exp(p[t]) - std::exp(q[t]));
        for (int i = 0; i < width; ++i) {
          expected_dh[std::size_t(r) * width + i] += dz * w[std::size_t(t) * width + i];
          expected_dw[std::size_t(t) * width + i] += dz * h[std::size_t(r) * width + i];
        }
      }
    }
    const auto worst = [](const std::vector<double>& a, const std::vector<double>& b) {
      double most = 0;
      for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
      return most;
    };
    CHECK(worst(dh, expected_dh) < 1e-11);
    CHECK(worst(dw, expected_dw) < 1e-11);
  }
}

TEST_CASE("statistics agree in float, and a model does not diverge from itself at all") {
  const int rows = 9, width = 48, vocab = 301;
  const auto h = test::normal_values<float>(std::size_t(rows) * width, "h", 0.3);
  const auto w = test::normal_values<float>(std::size_t(vocab) * width, "w");
  const std::vector<double> hd(h.begin(), h.end()), wd(w.begin(), w.end());
  const auto targets = test::random_tokens(rows, vocab, "t");
  std::vector<float> logps(rows), lse(2 * rows), stats(rows);
  std::vector<double> logps_d(rows), lse_d(rows), stats_d(rows);
  kernels::AlignedVector<float> logits;
  kernels::AlignedVector<double> logits_d;
  const auto hv = dense<const float>(h.data(), rows, width), wv = dense<const float>(w.data(), vocab, width);
  kernels::lm_head_forward<float>(hv, wv, targets, logps, lse, logits, {.kind = Statistic::collision_logp},
                                  stats);
  kernels::lm_head_forward<double>(dense<const double>(hd.data(), rows, width),
                                   dense<const double>(wd.data(), vocab, width), targets, logps_d, lse_d,
                                   logits_d, {.kind = Statistic::collision_logp}, stats_d);
  for (int r = 0; r < rows; ++r) CHECK(stats[r] == Approx(stats_d[r]).epsilon(2e-5));
  kernels::lm_head_forward<float>(hv, wv, targets, logps, lse, logits,
                                  {.kind = Statistic::sequential_kl, .reference = {hv, wv}}, stats);
  CHECK(stats == std::vector<float>(rows, 0.0f));
}
