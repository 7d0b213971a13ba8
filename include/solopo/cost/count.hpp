// Counting in 64 bits without wrapping: what is counted here (tokens, pairs, bytes) is never negative, and a
// sum or product that does not fit is refused.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "solopo/core/error.hpp"

namespace solopo::cost {

using Count = std::int64_t;

// Throws ArgumentError naming `name` when `value` is negative.
constexpr Count require_count(const char* name, Count value) {
  if (value < 0) throw ArgumentError(name, std::to_string(value) + " is negative; counts begin at 0");
  return value;
}

// a + b and a b of counts. Throw ArgumentError when the result does not fit in 64 bits.
constexpr Count sum(Count a, Count b) {
  if (a > std::numeric_limits<Count>::max() - b)
    throw ArgumentError("count", std::to_string(a) + " + " + std::to_string(b) + " does not fit in 64 bits");
  return a + b;
}
constexpr Count product(Count a, Count b) {
  if (b != 0 && a > std::numeric_limits<Count>::max() / b)
    throw ArgumentError("count", std::to_string(a) + " * " + std::to_string(b) + " does not fit in 64 bits");
  return a * b;
}

// 1 + 2 + ... + n: the query-key pairs of n rows under a causal mask.
constexpr Count triangle(Count n) {
  return n % 2 == 0 ? product(n / 2, sum(n, 1)) : product(n, sum(n, 1) / 2);
}

static_assert(triangle(4) == 10 && triangle(5) == 15 && triangle(0) == 0);

}  // namespace solopo::cost
