#include "solopo/kernels/bf16_product.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "random_values.hpp"
#include "solopo/kernels/chosen_product.hpp"
#include "solopo/kernels/native_bf16.hpp"

using namespace solopo;

namespace {

float rounded(float x) { return BFloat16(x); }

// An m x n product in rows of `ld`, over what was in `before`, against beta times that and sums in double of
// k rounded terms left(i, e) right(e, j), which differ by the order of float sums only: `relative` of the sum
// of magnitudes. What lies beside the product is as it was.
void check_sums(const std::vector<float>& c, const std::vector<float>& before, std::ptrdiff_t m,
                std::ptrdiff_t n, std::ptrdiff_t k, std::ptrdiff_t ld, float beta, const auto& left,
                const auto& right, double relative) {
  for (std::ptrdiff_t i = 0; i < m; ++i)
    for (std::ptrdiff_t j = 0; j < ld; ++j) {
      const float old = before[i * ld + j], now = c[i * ld + j];
      if (j >= n) {
        REQUIRE(now == old);
        continue;
      }
      double expected = double(old) * beta, size = std::abs(expected);
      for (std::ptrdiff_t e = 0; e < k; ++e) {
        const double term = double(rounded(left(i, e))) * double(rounded(right(e, j)));
        expected += term;
        size += std::abs(term);
      }
      REQUIRE(std::abs(now - expected) <= relative * size);
    }
}

template <class P>
void check_rounded_product(double relative) {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, {3, 7, 5}, {17, 33, 65}, {64, 1, 31}, {40, 50, 3}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const float beta : {0.0f, 1.0f, 0.5f})
          for (const float alpha : {1.0f, 0.75f}) {
            CAPTURE(m, n, k, ta, tb, beta, alpha);
            const std::ptrdiff_t lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
            const auto a = test::normal_values<float>(std::size_t(ta ? k : m) * lda, "a");
            const auto b = test::normal_values<float>(std::size_t(tb ? n : k) * ldb, "b");
            auto c = test::normal_values<float>(std::size_t(m) * ldc, "c");
            const auto before = c;
            P::template gemm<float>(ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(),
                                    ldc);
            check_sums(
                c, before, m, n, k, ldc, beta,
                [&](std::ptrdiff_t i, std::ptrdiff_t e) {
                  return alpha * (ta ? a[e * lda + i] : a[i * lda + e]);
                },
                [&](std::ptrdiff_t e, std::ptrdiff_t j) { return tb ? b[j * ldb + e] : b[e * ldb + j]; },
                relative);
          }
}

}  // namespace

TEST_CASE("a bf16 product is that of rounded operands with float sums, in blocks of any size") {
  check_rounded_product<kernels::Bf16Product<kernels::WidenedMultiply>>(1e-6);
  check_rounded_product<kernels::Bf16Product<kernels::WidenedMultiply, 8, 16>>(1e-6);
  check_rounded_product<kernels::Bf16Product<kernels::WidenedMultiply, 1, 1>>(1e-6);
}

TEST_CASE("a bf16 product really rounds") {
  const float a[] = {1.0f + 1.0f / 512.0f}, b[] = {1.0f};
  float c[] = {std::numeric_limits<float>::quiet_NaN()};
  kernels::Bf16Product<kernels::WidenedMultiply>::gemm<float>(false, false, 1, 1, 1, 1.0f, a, 1, b, 1, 0.0f,
                                                              c, 1);
  CHECK(c[0] == 1.0f);
}

namespace {

// Weights that were rounded before, against sums in double.
template <class P>
void check_project(double relative) {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, {3, 7, 5}, {17, 33, 65}, {40, 50, 3}})
    for (const float keep : {0.0f, 1.0f}) {
      CAPTURE(m, n, k, keep);
      const std::ptrdiff_t ldx = k + 2, ldy = n + 3, ldw = k;
      const auto x = test::normal_values<float>(std::size_t(m) * ldx, "x"),
                 w = test::normal_values<float>(std::size_t(n) * k, "w");
      auto y = test::normal_values<float>(std::size_t(m) * ldy, "y");
      const auto before = y;
      const auto rounded_w = kernels::rounded_for<P>(w);
      P::project({x.data(), m, k, ldx}, dense(rounded_w.data(), n, k), keep, {y.data(), m, n, ldy});
      check_sums(
          y, before, m, n, k, ldy, keep, [&](std::ptrdiff_t i, std::ptrdiff_t e) { return x[i * ldx + e]; },
          [&](std::ptrdiff_t e, std::ptrdiff_t j) { return w[j * ldw + e]; }, relative);
    }
}

}  // namespace

TEST_CASE("a product with weights that were rounded before is the same product") {
  check_project<kernels::Bf16Product<kernels::WidenedMultiply>>(1e-6);
  check_project<kernels::Bf16Product<kernels::WidenedMultiply, 8, 16>>(1e-6);
  if (kernels::has_native_bf16()) check_project<kernels::NativeBf16Product>(1e-5);
}

TEST_CASE("only a product that rounds keeps rounded weights") {
  const std::vector<float> w(3, 1.0f);
  CHECK(kernels::rounded_for<kernels::DefaultProduct>(w).empty());
  CHECK(kernels::rounded_for<kernels::ChosenProduct>(w).empty());
  CHECK(kernels::rounded_for<kernels::Bf16Product<kernels::WidenedMultiply>>(w).size() == 3);
}

TEST_CASE("a row of the processor's bf16 product does not depend on the rows beside it") {
  if (!kernels::has_native_bf16()) {
    std::puts("SKIPPED: rows of the processor's own bf16 products (no bf16 instructions here)");
    return;
  }
  constexpr std::ptrdiff_t most = 130;
  for (const auto& [n, k] :
       {std::pair<std::ptrdiff_t, std::ptrdiff_t>{96, 64}, {960, 576}, {576, 1536}, {50, 70}}) {
    const auto x = test::normal_values<float>(most * k, "x"), w = test::normal_values<float>(n * k, "w");
    const auto rounded_w = kernels::rounded_for<kernels::NativeBf16Product>(w);
    std::vector<float> all(most * n);
    kernels::NativeBf16Product::project(dense(x.data(), most, k), dense(rounded_w.data(), n, k), 0,
                                        dense(all.data(), most, n));
    for (const std::ptrdiff_t m : {1, 2, 15, 16, 17, 33, 64, 100}) {
      CAPTURE(m, n, k);
      std::vector<float> some(m * n);
      kernels::NativeBf16Product::project(dense(x.data() + (most - m) * k, m, k),
                                          dense(rounded_w.data(), n, k), 0, dense(some.data(), m, n));
      CHECK(std::equal(some.begin(), some.end(), all.end() - m * n));
    }
  }
}

TEST_CASE("the processor's bf16 products inside a parallel region are whole sums") {
  if (!kernels::has_native_bf16()) {
    std::puts("SKIPPED: the processor's own bf16 products in parallel (no bf16 instructions here)");
    return;
  }
  // Operands of halves: every sum is exact.
  const std::vector<float> half(256 * 256, 0.5f);
  std::atomic<int> wrong = 0;
  kernels::parallel_for(256, [&](std::ptrdiff_t item) {
    const std::ptrdiff_t width = item + 1;
    for (const std::ptrdiff_t rows : {3, 45, 64, 129, 192})
      for (const auto& [ta, tb, m, n, k] : {std::tuple{false, true, rows, width, std::ptrdiff_t{64}},
                                            {false, false, rows, std::ptrdiff_t{64}, width},
                                            {true, false, width, std::ptrdiff_t{64}, rows}}) {
        std::vector<float> c(static_cast<std::size_t>(m * n), 1.0f);
        kernels::NativeBf16Product::gemm<float>(ta, tb, m, n, k, 1.0f, half.data(), ta ? m : k, half.data(),
                                                tb ? k : n, 1.0f, c.data(), n);
        const float expected = 1.0f + 0.25f * static_cast<float>(k);
        wrong += static_cast<int>(std::count_if(c.begin(), c.end(), [&](float x) { return x != expected; }));
      }
  });
  CHECK(wrong == 0);
}

TEST_CASE("an empty sum of a bf16 product is beta times what was there") {
  float c[] = {3.0f};
  const auto multiply = [&](float beta) {
    kernels::Bf16Product<kernels::WidenedMultiply>::gemm<float>(false, false, 1, 1, 0, 1.0f, nullptr, 1,
                                                                nullptr, 1, beta, c, 1);
  };
  multiply(1.0f);
  CHECK(c[0] == 3.0f);
  multiply(0.0f);
  CHECK(c[0] == 0.0f);
}

TEST_CASE("the processor's own bf16 products equal the rounded ones") {
  if (!kernels::has_native_bf16()) {
    std::puts(
        "SKIPPED: the processor's own bf16 products (no bf16 instructions here, or a build without oneDNN)");
    return;
  }
  check_rounded_product<kernels::NativeBf16Product>(1e-5);
  check_rounded_product<kernels::Bf16Product<kernels::NativeBf16Multiply, 8, 16>>(1e-5);
}

TEST_CASE("a program that has not chosen multiplies as ever, and bf16 is refused where it is not") {
  using kernels::ChosenProduct;
  const auto a = test::normal_values<float>(64 * 31, "a"), b = test::normal_values<float>(31 * 5, "b");
  const auto product = [&](auto which) {
    std::vector<float> c(64 * 5);
    decltype(which)::template gemm<float>(false, false, 64, 5, 31, 1.0f, a.data(), 31, b.data(), 5, 0.0f,
                                          c.data(), 5);
    return c;
  };
  const auto plain = product(kernels::DefaultProduct{});
  CHECK(product(ChosenProduct{}) == plain);
  if (!kernels::has_native_bf16()) {
    CHECK_THROWS_AS(ChosenProduct::choose(true), ArgumentError);
    CHECK_THROWS_WITH(product(kernels::NativeBf16Product{}), Catch::Contains("bfloat16 products"));
  } else {
    ChosenProduct::choose(true);
    CHECK(product(ChosenProduct{}) == product(kernels::NativeBf16Product{}));
    CHECK(product(ChosenProduct{}) != plain);
  }
  ChosenProduct::choose(false);
  CHECK(product(ChosenProduct{}) == plain);
}

#if defined(SOLOPO_PRODUCT_ONEDNN)
TEST_CASE("oneDNN's matmul is asked for the product that is meant, transposed, strided and added") {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, {3, 7, 5}, {17, 33, 65}, {64, 1, 31}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const bool add : {false, true}) {
          CAPTURE(m, n, k, ta, tb, add);
          const std::ptrdiff_t lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
          const auto a = test::normal_values<float>(std::size_t(ta ? k : m) * lda, "a");
          const auto b = test::normal_values<float>(std::size_t(tb ? n : k) * ldb, "b");
          auto c = test::normal_values<float>(std::size_t(m) * ldc, "c"), expected = c;
          // In float, which every processor has.
          kernels::onednn_detail::matmul<dnnl::memory::data_type::f32>(ta, tb, m, n, k, a.data(), lda,
                                                                       b.data(), ldb, add, c.data(), ldc);
          kernels::PlainProduct::gemm<float>(ta, tb, m, n, k, 1.0f, a.data(), lda, b.data(), ldb,
                                             add ? 1.0f : 0.0f, expected.data(), ldc);
          for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c[i] == Approx(expected[i]).margin(1e-4));
        }
}

TEST_CASE("oneDNN's matmul of more shapes than are kept at hand") {
  const std::vector<float> a(300, 1.0f), b(300, 0.5f);
  for (int time = 0; time < 2; ++time)  // the second time some shapes are met again
    for (std::ptrdiff_t k = 1; k <= 300; ++k) {
      float c = 99;
      kernels::onednn_detail::matmul<dnnl::memory::data_type::f32>(false, false, 1, 1, k, a.data(), k,
                                                                   b.data(), 1, false, &c, 1);
      REQUIRE(c == 0.5f * static_cast<float>(k));
    }
}
#endif
