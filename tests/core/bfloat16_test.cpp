#include <cmath>
#include <limits>

#include "catch.hpp"
#include "solopo/core/bfloat16.hpp"

namespace {

using solopo::BFloat16;

float rounded(float x) { return static_cast<float>(BFloat16(x)); }

TEST_CASE("bfloat16 rounds to nearest, ties to even") {
  CHECK(rounded(1.0f) == 1.0f);
  CHECK(rounded(1.0f + 0x1p-8f) == 1.0f);                // half way: down to even
  CHECK(rounded(1.0f + 3 * 0x1p-8f) == 1.0f + 0x1p-6f);  // half way: up to even
  CHECK(rounded(1.0f + 0x1p-8f + 0x1p-20f) == 1.0f + 0x1p-7f);
  CHECK(rounded(-1.0f - 3 * 0x1p-8f) == -1.0f - 0x1p-6f);
}

TEST_CASE("what is too large becomes infinity, NaN stays NaN, small numbers and signs stay") {
  const float most = std::numeric_limits<float>::max();
  CHECK(rounded(most) == std::numeric_limits<float>::infinity());
  CHECK(rounded(-most) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
  CHECK(
      std::isnan(rounded(__builtin_bit_cast(float, 0x7f800001u))));  // its upper half alone would be infinity
  CHECK(std::signbit(rounded(-0.0f)));
  CHECK(rounded(0x1p-133f) == 0x1p-133f);
}

TEST_CASE("adding rounds the sum") {
  BFloat16 x = 256.0f;
  x += 1.0f;
  CHECK(static_cast<float>(x) == 256.0f);
  x += 2.0f;
  CHECK(static_cast<float>(x) == 258.0f);
}

}  // namespace
