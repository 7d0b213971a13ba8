// The standard library as a backend: std::vector and std::span of float or double.
#pragma once

#include <span>
#include <type_traits>
#include <vector>

#include "solopo/backends/concepts.hpp"

namespace solopo {

template <std::floating_point T>
struct Backend<std::vector<T>> {
  using value_type = T;
  using owning_type = std::vector<T>;
  static std::size_t size(const std::vector<T>& v) noexcept { return v.size(); }
  static T get(const std::vector<T>& v, std::size_t i) noexcept { return v[i]; }
  static const T* data(const std::vector<T>& v) noexcept { return v.data(); }
  static owning_type zeros(std::size_t n) { return owning_type(n); }
  static void set(owning_type& v, std::size_t i, T x) noexcept { v[i] = x; }
};

template <class T>
requires std::floating_point<std::remove_const_t<T>>
struct Backend<std::span<T>> : Backend<std::vector<std::remove_const_t<T>>> {
  static std::size_t size(std::span<T> v) noexcept { return v.size(); }
  static std::remove_const_t<T> get(std::span<T> v, std::size_t i) noexcept { return v[i]; }
  static const T* data(std::span<T> v) noexcept { return v.data(); }
};

static_assert(BatchVector<std::vector<float>> && BatchVector<std::span<const double>>);

}  // namespace solopo
