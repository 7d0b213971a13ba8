// c ? a : b without a branch, for loops that shall be vectorised. GCC moves what only one side of a ?: needs
// into a branch, and gives a constant side a branch of its own; it may then not take floating-point
// operations out of it again (-ftrapping-math, its default).
#pragma once

#include <cstdint>
#include <type_traits>

#include "solopo/core/config.hpp"

namespace solopo {

template <class T>
SOLOPO_HD constexpr T select(bool c, T a, T b) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    const std::uint32_t mask = 0U - static_cast<std::uint32_t>(c);
    return __builtin_bit_cast(float, (__builtin_bit_cast(std::uint32_t, a) & mask) |
                                         (__builtin_bit_cast(std::uint32_t, b) & ~mask));
  } else if constexpr (std::is_same_v<T, double>) {
    const std::uint64_t mask = 0U - static_cast<std::uint64_t>(c);
    return __builtin_bit_cast(double, (__builtin_bit_cast(std::uint64_t, a) & mask) |
                                          (__builtin_bit_cast(std::uint64_t, b) & ~mask));
  } else {
    return c ? a : b;
  }
}

}  // namespace solopo
