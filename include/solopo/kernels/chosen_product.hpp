// The default product, or the processor's bfloat16, as a program is told when it runs.
#pragma once

#include <concepts>
#include <cstddef>

#include "solopo/core/error.hpp"
#include "solopo/kernels/native_bf16.hpp"
#include "solopo/kernels/product.hpp"

namespace solopo::kernels {

// One choice for the whole program, to be made while nothing multiplies. A program that knows it when it is
// compiled takes DefaultProduct or NativeBf16Product instead, and may have both.
struct ChosenProduct {
  static constexpr const char* name = "chosen when the program runs";

  struct Tile {
    static constexpr const char* name = ChosenProduct::name;

    template <class T>
    static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                     const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                     std::ptrdiff_t ldc) {
      multiply<NativeBf16Product::Tile, TileProduct>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
  };

  // Throws ArgumentError where has_native_bf16() is false.
  static void choose(bool bf16) {
    if (bf16 && !has_native_bf16())
      throw ArgumentError("dtype", "this processor, or this build, has no bfloat16 products");
    bf16_ = bf16;
  }

  static bool rounds() noexcept { return bf16_; }

  // See Bf16Product; where rounds() is true.
  static void project(MatrixView<const float> x, MatrixView<const BFloat16> weight, float keep,
                      MatrixView<float> y) {
    NativeBf16Product::project(x, weight, keep, y);
  }

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    multiply<NativeBf16Product, DefaultProduct>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

 private:
  template <class Rounded, class Whole, class T>
  static void multiply(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                       const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                       std::ptrdiff_t ldc) {
    if (std::same_as<T, float> && bf16_)
      Rounded::template gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    else
      Whole::template gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  static inline bool bf16_ = false;
};
static_assert(MatrixProduct<ChosenProduct> && ProjectsRounded<ChosenProduct>);

}  // namespace solopo::kernels
