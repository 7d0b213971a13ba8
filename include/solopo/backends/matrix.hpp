// What a tensor library must offer so that matrices can be read and written where they lie.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include "solopo/core/error.hpp"
#include "solopo/core/view.hpp"

namespace solopo {

// Specialise for a matrix type M of float or double whose rows are contiguous:
//   using value_type;                                   float or double
//   static MatrixView<const value_type> view(const M&)  pointer, rows, columns, elements from row to row
//   static MatrixView<value_type> view(M&)              the same for writing, where M can be written
// view() may throw ArgumentError for a matrix that turns out to have another layout.
template <class M>
struct MatrixBackend;

// A row-major matrix of some backend. A column-major Eigen matrix, for instance, is none.
template <class M>
concept BatchMatrix = requires(const std::remove_cvref_t<M>& m) {
  requires std::floating_point<typename MatrixBackend<std::remove_cvref_t<M>>::value_type>;
  {
    MatrixBackend<std::remove_cvref_t<M>>::view(m)
    } -> std::convertible_to<MatrixView<const typename MatrixBackend<std::remove_cvref_t<M>>::value_type>>;
};

template <BatchMatrix M>
using MatrixScalar = typename MatrixBackend<std::remove_cvref_t<M>>::value_type;

// One that can be written; a const Eigen matrix cannot, a const view of writable numbers can.
template <class M>
concept WritableMatrix = BatchMatrix<M> && requires(std::remove_reference_t<M>& m) {
  { MatrixBackend<std::remove_cvref_t<M>>::view(m) } -> std::convertible_to<MatrixView<MatrixScalar<M>>>;
};

// Pointer and extents are a matrix as they are.
template <class T>
requires std::floating_point<std::remove_const_t<T>>
struct MatrixBackend<MatrixView<T>> {
  using value_type = std::remove_const_t<T>;
  static MatrixView<T> view(const MatrixView<T>& m) noexcept { return m; }
};

static_assert(WritableMatrix<MatrixView<float>> && BatchMatrix<MatrixView<const double>> &&
              !WritableMatrix<MatrixView<const double>> && WritableMatrix<const MatrixView<float>&>);

// The view of argument `name`, T const for reading. What the backend refuses, extents below 0 and rows that
// overlap or run backwards throw ArgumentError under that name. One row has no next one: its stride is set.
template <class T, class M>
[[nodiscard]] MatrixView<T> checked_view(const char* name, M& m) {
  MatrixView<T> view;
  try {
    view = MatrixBackend<std::remove_const_t<M>>::view(m);
  } catch (const ArgumentError& e) {
    const std::string what = e.what();
    throw ArgumentError(name, what.substr(what.find(": ", e.argument().size()) + 2));
  }
  if (view.rows < 0 || view.columns < 0) {
    throw ArgumentError(name, "has shape (" + std::to_string(view.rows) + ", " +
                                  std::to_string(view.columns) + "), expected extents of 0 or more");
  }
  if (view.rows <= 1) view.stride = view.columns;
  if (view.stride < view.columns) {
    throw ArgumentError(name, "has " + std::to_string(view.stride) +
                                  " elements from one row to the next, expected at least " +
                                  std::to_string(view.columns) + ", its columns; copy it first");
  }
  return view;
}

}  // namespace solopo
