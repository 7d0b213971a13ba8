// y = x W^T for a few rows of x: reading W once from memory is the cost, which blocked products do not aim
// at. Generation lives here: one row a sample.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "solopo/core/view.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

inline constexpr std::ptrdiff_t skinny_rows = 16;  // up to here `project` uses it

namespace skinny {

// The processor's vectors, and how many of them may hold sums: the rest are for operands.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64, sum_vectors = 16, block_rows = 4;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32, sum_vectors = 12, block_rows = 1;
#else
inline constexpr int vector_bytes = 16, sum_vectors = 12, block_rows = 1;
#endif

// f(constant) for 0 .. N - 1: an array stays in registers only where every index is known.
template <int N, class F>
inline void unrolled(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}

// The lanes of a CpuTeam as vectors that the processor has. One wider vector would be split by the compiler
// and kept in memory.
template <class T>
struct Lanes {
  static constexpr int width = vector_bytes / sizeof(T), count = CpuTeam::lanes / width;
  typedef T Vector __attribute__((vector_size(vector_bytes)));
  Vector part[count];

  // Lane l + lane l + N / 2, and so on down to one.
  [[nodiscard]] T sum() const noexcept {
    Vector v[count];
    unrolled<count>([&](auto p) { v[p] = part[p]; });
    if constexpr (count >= 8) unrolled<4>([&](auto p) { v[p] += v[p + 4]; });
    if constexpr (count >= 4) unrolled<2>([&](auto p) { v[p] += v[p + 2]; });
    if constexpr (count >= 2) v[0] += v[1];
    return halve<width>(v[0]);
  }

 private:
  template <int N, class V>
  static T halve(const V& v) noexcept {
    if constexpr (N == 2) {
      return v[0] + v[1];
    } else {
      typedef T Half __attribute__((vector_size(N / 2 * sizeof(T))));
      Half low, high;
      std::memcpy(&low, &v, sizeof low);
      std::memcpy(&high, reinterpret_cast<const char*>(&v) + sizeof low, sizeof high);
      return halve<N / 2>(Half(low + high));
    }
  }
};

// y (Rows, Columns) = x (Rows, k) W^T + keep * y for Columns rows of W, the sums in registers. An element's
// value does not depend on what else is computed with it.
template <int Rows, int Columns, class T>
void block(MatrixView<const T> x, std::ptrdiff_t i, MatrixView<const T> weight, std::ptrdiff_t j, T keep,
           MatrixView<T> y) {
  using L = Lanes<T>;
  const std::ptrdiff_t k = x.columns, whole = k / CpuTeam::lanes * CpuTeam::lanes;
  const T *xs[Rows], *ws[Columns];
  unrolled<Rows>([&](auto r) { xs[r] = x.row(i + r); });
  unrolled<Columns>([&](auto c) { ws[c] = weight.row(j + c); });
  L sums[Rows][Columns] = {};
  for (std::ptrdiff_t e = 0; e < whole; e += CpuTeam::lanes)
    unrolled<L::count>([&](auto p) {
      const std::ptrdiff_t at = e + p * L::width;
      typename L::Vector v[Rows];
      unrolled<Rows>([&](auto r) { std::memcpy(&v[r], xs[r] + at, sizeof v[r]); });
      unrolled<Columns>([&](auto c) {
        typename L::Vector w;
        std::memcpy(&w, ws[c] + at, sizeof w);
        unrolled<Rows>([&](auto r) { sums[r][c].part[p] += v[r] * w; });
      });
    });
  unrolled<Rows>([&](auto r) {
    unrolled<Columns>([&](auto c) {
      T dot = sums[r][c].sum();
      for (std::ptrdiff_t e = whole; e < k; ++e) dot += xs[r][e] * ws[c][e];
      T& out = y(i + r, j + c);
      out = keep == T(0) ? dot : out + dot;
    });
  });
}

}  // namespace skinny

// y (m, n) = x (m, k) W^T + keep * y, W (n, k), keep 0 or 1 (y is not read when 0).
template <class T>
void skinny_product(MatrixView<const T> x, MatrixView<const T> weight, T keep, MatrixView<T> y) {
  constexpr int rows = skinny::block_rows, columns = skinny::sum_vectors / (rows * skinny::Lanes<T>::count);
  parallel_ranges(weight.rows, 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t j = begin; j < end;) {
      const bool many = end - j >= columns;
      std::ptrdiff_t i = 0;
      for (; i + rows <= x.rows; i += rows)
        many ? skinny::block<rows, columns>(x, i, weight, j, keep, y)
             : skinny::block<rows, 1>(x, i, weight, j, keep, y);
      for (; i < x.rows; ++i)
        many ? skinny::block<1, columns>(x, i, weight, j, keep, y)
             : skinny::block<1, 1>(x, i, weight, j, keep, y);
      j += many ? columns : 1;
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
