#include "solopo/kernels/bf16_product.hpp"

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

// A product of Bf16Product against sums in double of rounded operands, which differ by the order of float
// sums only: `relative` of the sum of magnitudes.
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
            for (int i = 0; i < m; ++i)
              for (int j = 0; j < ldc; ++j) {
                const float old = before[std::size_t(i) * ldc + j], now = c[std::size_t(i) * ldc + j];
                if (j >= n) {
                  REQUIRE(now == old);
                  continue;
                }
                double expected = double(old) * beta, size = std::abs(expected);
                for (int e = 0; e < k; ++e) {
                  const float x = ta ? a[std::size_t(e) * lda + i] : a[std::size_t(i) * lda + e],
                              y = tb ? b[std::size_t(j) * ldb + e] : b[std::size_t(e) * ldb + j];
                  const double term = double(rounded(alpha * x)) * double(rounded(y));
                  expected += term;
                  size += std::abs(term);
                }
                REQUIRE(std::abs(now - expected) <= relative * size);
              }
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
#endif
