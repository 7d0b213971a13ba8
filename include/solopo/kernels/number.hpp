// The type that a row rule computes in, given the type that its rows are stored in.
#pragma once

#include <concepts>
#include <type_traits>

#include "solopo/core/config.hpp"

namespace solopo::kernels {

// float and double compute in themselves, shorter formats in float.
template <class X>
using Number = std::conditional_t<std::same_as<std::remove_cv_t<X>, double>, double, float>;

template <class T>
SOLOPO_HD constexpr T square(T x) noexcept {
  return x * x;
}

}  // namespace solopo::kernels
