// The matrix products at hand. DefaultProduct: oneDNN when CMake found it, else a CBLAS, else Eigen, else
// plain loops. TileProduct is the one for products inside a parallel region (attention tiles): it never
// starts threads of its own there.
#pragma once

#include <concepts>
#include <cstddef>

#include "solopo/kernels/matrix_product.hpp"
#include "solopo/kernels/plain_product.hpp"

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#define SOLOPO_HAS_EIGEN 1
#else
#define SOLOPO_HAS_EIGEN 0
#endif

#if defined(SOLOPO_PRODUCT_ONEDNN)
#include <dnnl.h>

#include "solopo/core/error.hpp"
#elif defined(SOLOPO_PRODUCT_CBLAS)
#include <cblas.h>
#endif

namespace solopo::kernels {

#if SOLOPO_HAS_EIGEN
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

static_assert(MatrixProduct<EigenProduct>);
using LocalProduct = EigenProduct;
#else
using LocalProduct = PlainProduct;
#endif

#if defined(SOLOPO_PRODUCT_ONEDNN)
// oneDNN's dnnl_sgemm, the same in its versions 2 and 3; double goes to LocalProduct.
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
      LocalProduct::gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
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
using TileProduct = LocalProduct;  // a threaded BLAS must not be called from many threads at once
#else
using DefaultProduct = LocalProduct;
using TileProduct = LocalProduct;
#endif

namespace product_detail {
template <class P>
struct TileOf {
  using type = TileProduct;
};
template <class P>
requires requires { typename P::Tile; }
struct TileOf<P> {
  using type = typename P::Tile;
};
}  // namespace product_detail

// The product of attention's tiles in a model whose other products are P's: P::Tile where P names one.
template <class P>
using TileProductOf = typename product_detail::TileOf<P>::type;

}  // namespace solopo::kernels
