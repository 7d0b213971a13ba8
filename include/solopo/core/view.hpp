// A pointer and extents: what every backend can turn its own arrays into, and kernels take.
#pragma once

#include <concepts>
#include <cstddef>

#include "solopo/core/config.hpp"

namespace solopo {

// Row-major matrix view; `stride` elements from one row to the next (at least columns).
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::ptrdiff_t rows = 0, columns = 0, stride = 0;

  SOLOPO_HD constexpr T* row(std::ptrdiff_t i) const noexcept { return data + i * stride; }
  SOLOPO_HD constexpr T& operator()(std::ptrdiff_t i, std::ptrdiff_t j) const noexcept {
    return data[i * stride + j];
  }
  // Rows [begin, end).
  SOLOPO_HD constexpr MatrixView slice(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
    return {row(begin), end - begin, columns, stride};
  }
  // A mutable view reads as a constant one.
  template <class U>
  requires(std::same_as<U, const T> && !std::same_as<U, T>) SOLOPO_HD constexpr operator MatrixView<U>()
      const noexcept {
    return {data, rows, columns, stride};
  }
};

// A dense matrix: rows follow each other without a gap.
template <class T>
SOLOPO_HD constexpr MatrixView<T> dense(T* data, std::ptrdiff_t rows, std::ptrdiff_t columns) noexcept {
  return {data, rows, columns, columns};
}

}  // namespace solopo
