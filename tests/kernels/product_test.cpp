#include "solopo/kernels/product.hpp"

#include <vector>

#include "catch.hpp"
#include "random_values.hpp"
#include "solopo/kernels/skinny_product.hpp"

using namespace solopo;

namespace {

template <class P, class T>
void check_product(double tolerance) {
  for (const auto& [m, n, k] : {std::tuple{1, 1, 1}, {3, 7, 5}, {17, 33, 65}, {64, 1, 31}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true})
        for (const T beta : {T(0), T(1), T(0.5)}) {
          CAPTURE(m, n, k, ta, tb, beta);
          const std::ptrdiff_t lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
          const auto a = test::normal_values<T>(std::size_t(ta ? k : m) * lda, "a");
          const auto b = test::normal_values<T>(std::size_t(tb ? n : k) * ldb, "b");
          auto c = test::normal_values<T>(std::size_t(m) * ldc, "c");
          const auto before = c;
          P::template gemm<T>(ta, tb, m, n, k, T(2), a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
          for (int i = 0; i < m; ++i)
            for (int j = 0; j < ldc; ++j) {
              double expected = before[std::size_t(i) * ldc + j];
              if (j < n) {
                expected *= double(beta);
                for (int e = 0; e < k; ++e)
                  expected += 2.0 * double(ta ? a[std::size_t(e) * lda + i] : a[std::size_t(i) * lda + e]) *
                              double(tb ? b[std::size_t(j) * ldb + e] : b[std::size_t(e) * ldb + j]);
              }
              REQUIRE(c[std::size_t(i) * ldc + j] == Approx(expected).margin(tolerance));
            }
        }
}

}  // namespace

TEST_CASE("every matrix product in this build equals the naive sum and leaves padding alone") {
  check_product<kernels::PlainProduct, float>(1e-4);
  check_product<kernels::PlainProduct, double>(1e-12);
  check_product<kernels::EigenProduct, float>(1e-4);
  check_product<kernels::EigenProduct, double>(1e-12);
  check_product<kernels::DefaultProduct, float>(1e-4);
  check_product<kernels::DefaultProduct, double>(1e-12);
  check_product<kernels::TileProduct, float>(1e-4);
}

TEST_CASE("a product with beta 0 does not read the result's old content") {
  const float a[] = {2.0f}, b[] = {3.0f};
  float c[] = {std::numeric_limits<float>::quiet_NaN()};
  kernels::DefaultProduct::gemm<float>(false, false, 1, 1, 1, 1.0f, a, 1, b, 1, 0.0f, c, 1);
  CHECK(c[0] == 6.0f);
}

namespace {

template <class T>
void check_skinny_product(double tolerance) {
  for (const int rows : {1, 5, 16})
    for (const int columns : {1, 7, 129})
      for (const int k : {5, 16, 37}) {
        CAPTURE(rows, columns, k);
        const auto x = test::normal_values<T>(std::size_t(rows) * k, "x");
        const auto w = test::normal_values<T>(std::size_t(columns) * k, "w");
        auto y = test::normal_values<T>(std::size_t(rows) * columns, "y"), z = y;
        kernels::skinny_product(dense(x.data(), rows, k), dense(w.data(), columns, k), T(1),
                                dense(y.data(), rows, columns));
        kernels::EigenProduct::gemm<T>(false, true, rows, columns, k, T(1), x.data(), k, w.data(), k, T(1),
                                       z.data(), columns);
        for (std::size_t i = 0; i < y.size(); ++i) REQUIRE(y[i] == Approx(z[i]).margin(tolerance));
      }
}

}  // namespace

TEST_CASE("the skinny product equals the blocked one") {
  check_skinny_product<double>(1e-12);
  check_skinny_product<float>(1e-4);
}

TEST_CASE("a row of the skinny product does not depend on the rows beside it") {
  const int k = 37, columns = 129, rows = 16;
  const auto x = test::normal_values<float>(std::size_t(rows) * k, "x");
  const auto w = test::normal_values<float>(std::size_t(columns) * k, "w");
  std::vector<float> together(std::size_t(rows) * columns), alone(columns);
  const auto weight = dense(w.data(), columns, k);
  kernels::skinny_product(dense(x.data(), rows, k), weight, 0.0f, dense(together.data(), rows, columns));
  for (int i = 0; i < rows; ++i) {
    kernels::skinny_product(dense(x.data() + i * k, 1, k), weight, 0.0f, dense(alone.data(), 1, columns));
    for (int j = 0; j < columns; ++j)
      REQUIRE(alone[std::size_t(j)] == together[std::size_t(i * columns + j)]);
  }
}
