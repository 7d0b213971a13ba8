// y = x W^T for a few rows of x: reading W once from memory is the cost, which blocked products do not aim
// at. Generation lives here: one row a sample.
#pragma once

#include <cstddef>
#include <cstring>

#include "solopo/core/view.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

inline constexpr std::ptrdiff_t skinny_rows = 16;  // up to here `project` uses it

namespace skinny {

// N lanes as one value of the compilers' vector extension: plain arrays in two dimensions end up in memory.
template <class T, int N>
struct Lanes {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
  // By reference: returning a vector the processor lacks depends on the compiler's flags (warning -Wpsabi).
  static void load(const T* p, type& v) noexcept { std::memcpy(&v, p, sizeof v); }
  // Lane l + lane l + N / 2, and so on down to one.
  static T sum(const type& v) noexcept {
    if constexpr (N == 1) {
      return v[0];
    } else {
      typename Lanes<T, N / 2>::type low, high;
      std::memcpy(&low, &v, sizeof low);
      std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
      return Lanes<T, N / 2>::sum(low + high);
    }
  }
};

// y (Rows, Columns) = x (Rows, k) W^T + keep * y for Columns rows of W, the sums in registers. An element's
// value does not depend on what else is computed with it.
template <int Rows, int Columns, class T>
void block(MatrixView<const T> x, std::ptrdiff_t i, MatrixView<const T> weight, std::ptrdiff_t j, T keep,
           MatrixView<T> y) {
  constexpr int lanes = CpuTeam::lanes;
  using L = Lanes<T, lanes>;
  const std::ptrdiff_t k = x.columns, whole = k / lanes * lanes;
  typename L::type sums[Rows][Columns] = {};
  for (std::ptrdiff_t e = 0; e < whole; e += lanes)
    for (int c = 0; c < Columns; ++c) {
      typename L::type w, v;
      L::load(weight.row(j + c) + e, w);
      for (int r = 0; r < Rows; ++r) {
        L::load(x.row(i + r) + e, v);
        sums[r][c] += v * w;
      }
    }
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < Columns; ++c) {
      T dot = L::sum(sums[r][c]);
      for (std::ptrdiff_t e = whole; e < k; ++e) dot += x(i + r, e) * weight(j + c, e);
      y(i + r, j + c) = keep == T(0) ? dot : y(i + r, j + c) + dot;
    }
}

}  // namespace skinny

// y (m, n) = x (m, k) W^T + keep * y, W (n, k), keep 0 or 1 (y is not read when 0).
template <class T>
void skinny_product(MatrixView<const T> x, MatrixView<const T> weight, T keep, MatrixView<T> y) {
  parallel_ranges(weight.rows, 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t j = begin; j < end;) {
      const bool four = end - j >= 4;
      std::ptrdiff_t i = 0;
      for (; i + 4 <= x.rows; i += 4)
        four ? skinny::block<4, 4>(x, i, weight, j, keep, y) : skinny::block<4, 1>(x, i, weight, j, keep, y);
      for (; i < x.rows; ++i)
        four ? skinny::block<1, 4>(x, i, weight, j, keep, y) : skinny::block<1, 1>(x, i, weight, j, keep, y);
      j += four ? 4 : 1;
    }
  });
}

// y = x W^T + keep * y through whichever of the two is quicker.
template <class Product, class T>
void project(MatrixView<const T> x, MatrixView<const T> weight, T keep, MatrixView<T> y) {
  if (x.rows <= skinny_rows)
    skinny_product(x, weight, keep, y);
  else
    Product::template gemm<T>(false, true, x.rows, y.columns, x.columns, T(1), x.data, x.stride, weight.data,
                              weight.stride, keep, y.data, y.stride);
}

}  // namespace solopo::kernels
