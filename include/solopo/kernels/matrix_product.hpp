// What a matrix product must offer to be used by the kernels.
#pragma once

#include <concepts>
#include <cstddef>

namespace solopo::kernels {

// A type with
//   template <class T> static void gemm(bool ta, bool tb, m, n, k, T alpha, A, lda, B, ldb, T beta, C, ldc)
// computing C = alpha op(A) op(B) + beta C, all row-major: op(A) (m, k), op(B) (k, n), C (m, n), ld* the
// distance of rows as stored. With beta = 0, C is not read. `name` is what --version prints.
template <class P>
concept MatrixProduct = requires(const float* a, float* c) {
  P::template gemm<float>(false, true, 1, 1, 1, 1.0f, a, 1, a, 1, 0.0f, c, 1);
  { P::name } -> std::convertible_to<const char*>;
};

}  // namespace solopo::kernels
