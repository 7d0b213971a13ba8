#include "solopo/kernels/lm_head.hpp"

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

TEST_CASE("the chunked head equals the definition and its gradient equals central differences") {
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
    CHECK(logits.size() <= std::size_t(kernels::head_chunk) * vocab);

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
