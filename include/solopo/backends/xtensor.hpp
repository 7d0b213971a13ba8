// xtensor as a backend: one-dimensional xt::xtensor, xt::xarray, adaptors and views of them.
#pragma once

#include <array>
#include <concepts>
#include <string>

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xtensor.hpp>
#endif

#include "solopo/backends/concepts.hpp"
#include "solopo/backends/matrix.hpp"
#include "solopo/core/error.hpp"

namespace solopo {

// An expression whose dimension is only known at run time (xt::xarray) is checked at each call of size():
// ArgumentError unless it has one dimension. A default-constructed xt::xarray has none and counts as empty.
template <class V>
requires(xt::is_xexpression<V>::value&& std::floating_point<typename V::value_type>) struct Backend<V> {
  using value_type = typename V::value_type;
  using owning_type = xt::xtensor<value_type, 1>;
  static std::size_t size(const V& v) {
    if (v.dimension() == 0) return 0;
    if (v.dimension() != 1) {
      throw ArgumentError(
          "batch", "an xtensor of " + std::to_string(v.dimension()) + " dimensions where one is expected");
    }
    return static_cast<std::size_t>(v.shape()[0]);
  }
  static value_type get(const V& v, std::size_t i) { return v(i); }
  static const value_type* data(const V& v) requires std::same_as<V, owning_type> { return v.data(); }
  static owning_type zeros(std::size_t n) {
    return owning_type(std::array<std::size_t, 1>{n}, value_type(0));
  }
  static void set(owning_type& v, std::size_t i, value_type x) { v(i) = x; }
};

// Two-dimensional tensors, arrays, adaptors and views that hold strides; row-major is checked when they are
// met.
template <class M>
requires(xt::is_xexpression<M>::value&& std::floating_point<typename M::value_type>&& requires(const M& m) {
  m.strides();
  m.data_offset();
  m.data();
}) struct MatrixBackend<M> {
  using value_type = typename M::value_type;
  static MatrixView<const value_type> view(const M& m) {
    return {m.data() + m.data_offset(), rows(m), columns(m), stride(m)};
  }
  static MatrixView<value_type> view(M& m) requires requires {
    { m.data() } -> std::same_as<value_type*>;
  }
  { return {m.data() + m.data_offset(), rows(m), columns(m), stride(m)}; }

 private:
  static std::ptrdiff_t rows(const M& m) {
    if (m.dimension() != 2) {
      throw ArgumentError(
          "matrix", "an xtensor of " + std::to_string(m.dimension()) + " dimensions where two are expected");
    }
    return static_cast<std::ptrdiff_t>(m.shape()[0]);
  }
  static std::ptrdiff_t columns(const M& m) { return static_cast<std::ptrdiff_t>(m.shape()[1]); }
  static std::ptrdiff_t stride(const M& m) {
    const auto inner = static_cast<std::ptrdiff_t>(m.strides()[1]);
    if (columns(m) > 1 && inner != 1) {
      throw ArgumentError("matrix", "has " + std::to_string(inner) +
                                        " elements from one column to the next, expected 1: it is not "
                                        "row-major; copy it into one that is");
    }
    return rows(m) > 1 ? static_cast<std::ptrdiff_t>(m.strides()[0]) : columns(m);
  }
};

static_assert(BatchVector<xt::xtensor<float, 1>>);
static_assert(WritableMatrix<xt::xtensor<float, 2>>);

}  // namespace solopo
