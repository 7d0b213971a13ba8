// The matrix product, as a policy of one function: a type with
//   template <class T> static void gemm(bool ta, bool tb, m, n, k, T alpha, A, lda, B, ldb, T beta, C, ldc)
// computing C = alpha op(A) op(B) + beta C, all row-major: op(A) (m, k), op(B) (k, n), C (m, n), ld* the
// distance of rows as stored. With beta = 0, C is not read. `name` is what --version prints. DefaultProduct:
// oneDNN when CMake found it, else a CBLAS, else Eigen. TileProduct is the one for products inside a parallel
// region (attention tiles): it never starts threads of its own there.
#pragma once

#include <Eigen/Core>
#include <concepts>
#include <cstddef>

#if defined(SOLOPO_PRODUCT_ONEDNN)
#include <dnnl.h>

#include "solopo/core/error.hpp"
#elif defined(SOLOPO_PRODUCT_CBLAS)
#include <cblas.h>
#endif

namespace solopo::kernels {

template <class P>
concept MatrixProduct = requires(const float* a, float* c) {
  P::template gemm<float>(false, true, 1, 1, 1, 1.0f, a, 1, a, 1, 0.0f, c, 1);
  { P::name } -> std::convertible_to<const char*>;
};

struct EigenProduct {
  static constexpr const char* name = "Eigen";

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using Stride = Eigen::OuterStride<>;
    using In = Eigen::Map<const Matrix, 0, Stride>;
    if (m == 0 || n == 0) return;
    Eigen::Map<Matrix, 0, Stride> out(c, m, n, Stride(ldc));
    if (beta == T(0))
      out.setZero();
    else if (beta != T(1))
      out *= beta;
    const In am(a, ta ? k : m, ta ? m : k, Stride(lda)), bm(b, tb ? n : k, tb ? k : n, Stride(ldb));
    if (!ta && !tb) out.noalias() += alpha * am * bm;
    if (!ta && tb) out.noalias() += alpha * am * bm.transpose();
    if (ta && !tb) out.noalias() += alpha * am.transpose() * bm;
    if (ta && tb) out.noalias() += alpha * am.transpose() * bm.transpose();
  }
};

#if defined(SOLOPO_PRODUCT_ONEDNN)
// oneDNN's dnnl_sgemm, the same in its versions 2 and 3; double goes to Eigen.
struct OneDnnProduct {
  static constexpr const char* name = "oneDNN";

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    if constexpr (std::same_as<T, float>) {
      const dnnl_status_t status =
          dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      if (status != dnnl_success)
        throw Error("dnnl_sgemm failed with status " + std::to_string(static_cast<int>(status)));
    } else {
      EigenProduct::gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
  }
};
static_assert(MatrixProduct<OneDnnProduct>);
using DefaultProduct = OneDnnProduct;
using TileProduct = OneDnnProduct;  // runs on the calling thread inside a parallel region
#elif defined(SOLOPO_PRODUCT_CBLAS)
struct CblasProduct {
  static constexpr const char* name = "CBLAS";

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    const auto opa = ta ? CblasTrans : CblasNoTrans, opb = tb ? CblasTrans : CblasNoTrans;
    const auto i = [](std::ptrdiff_t x) { return static_cast<int>(x); };
    if constexpr (std::same_as<T, float>)
      cblas_sgemm(CblasRowMajor, opa, opb, i(m), i(n), i(k), alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
    else
      cblas_dgemm(CblasRowMajor, opa, opb, i(m), i(n), i(k), alpha, a, i(lda), b, i(ldb), beta, c, i(ldc));
  }
};
static_assert(MatrixProduct<CblasProduct>);
using DefaultProduct = CblasProduct;
using TileProduct = EigenProduct;  // a threaded BLAS must not be called from many threads at once
#else
using DefaultProduct = EigenProduct;
using TileProduct = EigenProduct;
#endif
static_assert(MatrixProduct<EigenProduct>);

}  // namespace solopo::kernels
