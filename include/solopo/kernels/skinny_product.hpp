// y = x W^T for a few rows of x: reading W once from memory is the cost, which blocked products do not aim
// at. Generation lives here: one row a sample.
#pragma once

#include <cstddef>

#include "solopo/core/view.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

inline constexpr std::ptrdiff_t skinny_rows = 16;  // up to here it beats a blocked product

// y (m, n) = x (m, k) W^T + keep * y, W (n, k), keep 0 or 1 (y is not read when 0).
template <class T>
void skinny_product(MatrixView<const T> x, MatrixView<const T> weight, T keep, MatrixView<T> y) {
  const CpuTeam team;
  const int k = static_cast<int>(x.columns);
  parallel_ranges(weight.rows, 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t j = begin; j < end; ++j) {
      const T* w = weight.row(j);
      for (std::ptrdiff_t i = 0; i < x.rows; ++i) {
        const T* row = x.row(i);
        const T dot = team.sum<T>(k, [&](int e) { return row[e] * w[e]; });
        y(i, j) = keep == T(0) ? dot : y(i, j) + dot;
      }
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
