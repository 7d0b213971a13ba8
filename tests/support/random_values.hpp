// Seeded test data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "solopo/core/random.hpp"

namespace solopo::test {

template <class T>
std::vector<T> normal_values(std::size_t n, std::string_view purpose, double deviation = 1.0) {
  RandomStream random(7, purpose);
  std::vector<T> out(n);
  for (T& x : out) x = static_cast<T>(deviation * random.normal());
  return out;
}

inline std::vector<std::int32_t> random_tokens(std::size_t n, std::int32_t vocab, std::string_view purpose) {
  RandomStream random(11, purpose);
  std::vector<std::int32_t> out(n);
  for (std::int32_t& t : out) t = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocab)));
  return out;
}

}  // namespace solopo::test
