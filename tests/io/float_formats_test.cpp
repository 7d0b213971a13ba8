#include "solopo/io/float_formats.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"

using namespace solopo::io;

TEST_CASE("half_to_float gives the value the bits stand for, for every half") {
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    double value = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) value = fraction ? std::nan("") : std::numeric_limits<double>::infinity();
    if (bits & 0x8000) value = -value;
    const float read = half_to_float(static_cast<std::uint16_t>(bits));
    const bool same =
        std::isnan(value) ? std::isnan(read) : read == value && std::signbit(read) == std::signbit(value);
    wrong += !same;
  }
  CHECK(wrong == 0);
}

TEST_CASE("Rows are converted as single values are, at odd addresses and lengths") {
  std::vector<unsigned char> raw(2 * 0x10000 + 1);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    raw[1 + 2 * bits] = static_cast<unsigned char>(bits);
    raw[2 + 2 * bits] = static_cast<unsigned char>(bits >> 8);
  }
  std::vector<float> halves(0xfffd), brains(0xfffd);
  halves_to_floats(raw.data() + 1, halves.data(), halves.size());
  bfloat16s_to_floats(raw.data() + 1, brains.data(), brains.size());
  std::size_t wrong = 0;
  for (std::uint32_t bits = 0; bits < halves.size(); ++bits) {
    const float half = half_to_float(static_cast<std::uint16_t>(bits));
    const bool same = std::isnan(half)
                          ? std::isnan(halves[bits])
                          : std::bit_cast<std::uint32_t>(half) == std::bit_cast<std::uint32_t>(halves[bits]);
    wrong += !same;
    wrong += std::bit_cast<std::uint32_t>(brains[bits]) != bits << 16;
  }
  CHECK(wrong == 0);
}
