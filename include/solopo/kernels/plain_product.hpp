// The matrix product as loops: the definition, and what there is where no library is.
#pragma once

#include <cstddef>

#include "solopo/kernels/matrix_product.hpp"

namespace solopo::kernels {

// One thread, no blocking: for small matrices and for programs that bring nothing else.
struct PlainProduct {
  static constexpr const char* name = "plain loops";

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    for (std::ptrdiff_t i = 0; i < m; ++i) {
      T* const row = c + i * ldc;
      for (std::ptrdiff_t j = 0; j < n; ++j) row[j] = beta == T(0) ? T(0) : beta * row[j];
      for (std::ptrdiff_t e = 0; !tb && e < k; ++e) {
        const T x = alpha * (ta ? a[e * lda + i] : a[i * lda + e]);
        for (std::ptrdiff_t j = 0; j < n; ++j) row[j] += x * b[e * ldb + j];
      }
      for (std::ptrdiff_t j = 0; tb && j < n; ++j) {
        T sum = 0;
        for (std::ptrdiff_t e = 0; e < k; ++e) sum += (ta ? a[e * lda + i] : a[i * lda + e]) * b[j * ldb + e];
        row[j] += alpha * sum;
      }
    }
  }
};
static_assert(MatrixProduct<PlainProduct>);

}  // namespace solopo::kernels
