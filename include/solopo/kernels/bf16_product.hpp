// Products of float arrays whose operands are rounded to bfloat16 and whose sums are float: the arithmetic of
// processors that multiply bfloat16 twice as fast. Everything between products stays float, and so do the
// weights: only what enters a product is rounded.
#pragma once

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define SOLOPO_ROUNDS_NATIVELY 1
#include <immintrin.h>
#else
#define SOLOPO_ROUNDS_NATIVELY 0
#endif

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/matrix_product.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

// A type with
//   static void multiply(bool ta, bool tb, m, n, k, const BFloat16* A, lda, const BFloat16* B, ldb,
//                        bool add, float* C, ldc)
// computing C = op(A) op(B), added to C where `add`, row-major as in matrix_product.hpp.
template <class P>
concept Bf16Multiply = requires(const BFloat16* a, float* c) {
  P::multiply(false, true, 1, 1, 1, a, 1, a, 1, false, c, 1);
  { P::name } -> std::convertible_to<const char*>;
};

namespace bf16_detail {

// y = factor x, rounded. The processor's own instruction, where the build may use it, takes subnormal numbers
// for zero.
inline void round_row(const float* x, float factor, int n, BFloat16* y) noexcept {
#if SOLOPO_ROUNDS_NATIVELY
  const __m512 by = _mm512_set1_ps(factor);
  for (int j = 0; j < n; j += 16) {
    const auto some = static_cast<__mmask16>(n - j >= 16 ? 0xffffu : (1u << (n - j)) - 1u);
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_mul_ps(by, _mm512_maskz_loadu_ps(some, x + j)));
    _mm256_mask_storeu_epi16(y + j, some, reinterpret_cast<__m256i>(rounded));
  }
#else
  CpuTeam{}.each(n, [&](int j) { y[j] = BFloat16(factor * x[j]); });
#endif
}

// A part of a stored matrix that is at hand as bfloat16, its rows packed.
struct Rounded {
  AlignedVector<BFloat16> data;
  std::ptrdiff_t stride = 0;

  // Rows and columns as stored, times `factor`.
  void assign(const float* from, std::ptrdiff_t ld, std::ptrdiff_t rows, std::ptrdiff_t columns,
              float factor) {
    stride = columns;
    resize_discarding(data, static_cast<std::size_t>(rows * columns));
    parallel_ranges(rows, 16, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      for (std::ptrdiff_t i = begin; i < end; ++i) {
        round_row(from + i * ld, factor, static_cast<int>(columns), data.data() + i * stride);
      }
    });
  }
};

}  // namespace bf16_detail

// Operands are rounded in blocks, so that at most held_bytes are held (12 MiB) whatever is multiplied; they
// are kept from call to call, by each thread that calls. double goes to DefaultProduct, as it is.
template <Bf16Multiply Multiply, std::ptrdiff_t BlockRows = 1024, std::ptrdiff_t Block = 2048>
struct Bf16Product {
  static constexpr const char* name = Multiply::name;

  using Tile = Bf16Product;  // attention's products too
  static constexpr std::size_t held_bytes =
      sizeof(BFloat16) * static_cast<std::size_t>(Block) * static_cast<std::size_t>(BlockRows + Block);

  static constexpr bool rounds() noexcept { return true; }

  // y (m, n) = x (m, k) W^T + keep * y, W (n, k) rounded before, keep 0 or 1 (y is not read when 0). Fewer
  // than 16 rows are multiplied as 16: that takes no longer, and libraries multiply one or two in another
  // order.
  static void project(MatrixView<const float> x, MatrixView<const BFloat16> weight, float keep,
                      MatrixView<float> y) {
    constexpr std::ptrdiff_t least = 16;
    static thread_local bf16_detail::Rounded left;
    if (x.rows < least) {
      static thread_local AlignedVector<float> sums;
      resize_discarding(sums, static_cast<std::size_t>(least * weight.rows));
      left.assign(x.data, x.stride, x.rows, x.columns, 1.0f);
      left.data.resize(static_cast<std::size_t>(least * x.columns));
      std::fill(left.data.begin() + x.rows * x.columns, left.data.end(), BFloat16(0.0f));
      Multiply::multiply(false, true, least, weight.rows, x.columns, left.data.data(), left.stride,
                         weight.data, weight.stride, false, sums.data(), weight.rows);
      for (std::ptrdiff_t i = 0; i < x.rows; ++i)
        CpuTeam{}.each(static_cast<int>(weight.rows),
                       [&, to = y.row(i), from = &sums[i * weight.rows]](int j) {
                         to[j] = keep == 0 ? from[j] : to[j] + from[j];
                       });
      return;
    }
    for (std::ptrdiff_t i = 0; i < x.rows; i += BlockRows) {
      const std::ptrdiff_t rows = std::min(BlockRows, x.rows - i);
      left.assign(x.row(i), x.stride, rows, x.columns, 1.0f);
      Multiply::multiply(false, true, rows, weight.rows, x.columns, left.data.data(), left.stride,
                         weight.data, weight.stride, keep != 0, y.row(i), y.stride);
    }
  }

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    if constexpr (std::same_as<T, float>) {
      if (beta != 0 && beta != 1) scale(m, n, beta, c, ldc);
      static thread_local bf16_detail::Rounded left, right;
      for (std::ptrdiff_t e = 0; e < k; e += Block)
        for (std::ptrdiff_t j = 0; j < n; j += Block) {
          const std::ptrdiff_t inner = std::min(Block, k - e), columns = std::min(Block, n - j);
          take(right, tb, b, ldb, e, inner, j, columns, 1.0f);
          for (std::ptrdiff_t i = 0; i < m; i += BlockRows) {
            const std::ptrdiff_t rows = std::min(BlockRows, m - i);
            take(left, ta, a, lda, i, rows, e, inner, alpha);
            Multiply::multiply(ta, tb, rows, columns, inner, left.data.data(), left.stride, right.data.data(),
                               right.stride, e > 0 || beta != 0, c + i * ldc + j, ldc);
          }
        }
      if (k == 0 && beta == 0) scale(m, n, 0.0f, c, ldc);
    } else {
      DefaultProduct::gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
  }

 private:
  // Rows [row, row + rows) and columns [column, column + columns) of op(x).
  static void take(bf16_detail::Rounded& out, bool transposed, const float* x, std::ptrdiff_t ld,
                   std::ptrdiff_t row, std::ptrdiff_t rows, std::ptrdiff_t column, std::ptrdiff_t columns,
                   float factor) {
    if (transposed)
      out.assign(x + column * ld + row, ld, columns, rows, factor);
    else
      out.assign(x + row * ld + column, ld, rows, columns, factor);
  }
  static void scale(std::ptrdiff_t m, std::ptrdiff_t n, float factor, float* c, std::ptrdiff_t ldc) {
    for (std::ptrdiff_t i = 0; i < m; ++i)
      for (std::ptrdiff_t j = 0; j < n; ++j) c[i * ldc + j] = factor == 0 ? 0.0f : factor * c[i * ldc + j];
  }
};

// A product that takes weights which were rounded before. A program that has it and whose rounds() is true
// keeps a rounded copy of weights that do not change: generation reads all of them for every token.
template <class P>
concept ProjectsRounded = requires(MatrixView<const float> x, MatrixView<const BFloat16> weight,
                                   MatrixView<float> y) {
  { P::rounds() } -> std::same_as<bool>;
  P::project(x, weight, 1.0f, y);
};

// That copy; empty where the product wants none.
template <class P>
AlignedVector<BFloat16> rounded_for(std::span<const float> weights) {
  AlignedVector<BFloat16> out;
  if constexpr (ProjectsRounded<P>) {
    if (!P::rounds()) return out;
    out.resize(weights.size());
    parallel_ranges(
        static_cast<std::ptrdiff_t>(weights.size()), 1 << 16, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
          constexpr std::ptrdiff_t piece = 1 << 16;
          for (; begin < end; begin += piece)
            bf16_detail::round_row(weights.data() + begin, 1.0f,
                                   static_cast<int>(std::min(piece, end - begin)), out.data() + begin);
        });
  }
  return out;
}

// The same rounding on every processor: what is rounded is multiplied as float. No faster than floats; for
// tests and to try what bfloat16 does to a run.
struct WidenedMultiply {
  static constexpr const char* name = "bf16 rounded, multiplied as f32";

  static void multiply(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                       const BFloat16* a, std::ptrdiff_t lda, const BFloat16* b, std::ptrdiff_t ldb, bool add,
                       float* c, std::ptrdiff_t ldc) {
    static thread_local AlignedVector<float> left, right;
    widen(a, lda, ta ? k : m, ta ? m : k, left);
    widen(b, ldb, tb ? n : k, tb ? k : n, right);
    TileProduct::gemm<float>(ta, tb, m, n, k, 1.0f, left.data(), ta ? m : k, right.data(), tb ? k : n,
                             add ? 1.0f : 0.0f, c, ldc);
  }

 private:
  static void widen(const BFloat16* x, std::ptrdiff_t ld, std::ptrdiff_t rows, std::ptrdiff_t columns,
                    AlignedVector<float>& out) {
    resize_discarding(out, static_cast<std::size_t>(rows * columns));
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      CpuTeam{}.each(static_cast<int>(columns),
                     [&](int j) { out[static_cast<std::size_t>(i * columns + j)] = x[i * ld + j]; });
  }
};
static_assert(MatrixProduct<Bf16Product<WidenedMultiply>> && ProjectsRounded<Bf16Product<WidenedMultiply>>);

}  // namespace solopo::kernels
