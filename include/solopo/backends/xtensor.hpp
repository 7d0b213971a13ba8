// xtensor as a backend: one-dimensional xt::xtensor, xt::xarray, adaptors and views of them.
#pragma once

#include <array>

#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xtensor.hpp>
#endif

#include "solopo/backends/concepts.hpp"
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

static_assert(BatchVector<xt::xtensor<float, 1>>);

}  // namespace solopo
