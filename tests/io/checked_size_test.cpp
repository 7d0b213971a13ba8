#include "solopo/io/checked_size.hpp"

#include <cstdint>
#include <limits>

#include "catch.hpp"

using solopo::io::CheckedSize;
using solopo::io::narrow;

namespace {
constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
}

TEST_CASE("CheckedSize computes exactly up to the largest 64-bit number") {
  CHECK((CheckedSize(largest - 1) + 1).value() == largest);
  CHECK((CheckedSize(std::uint64_t{1} << 32) * ((std::uint64_t{1} << 32) - 1)).value() ==
        0xffffffff00000000u);
  CHECK((CheckedSize(5) - 5).value() == 0u);
  CHECK(CheckedSize(0).padded_to(32).value() == 0u);
  CHECK(CheckedSize(33).padded_to(32).value() == 64u);
  CHECK(CheckedSize(10).padded_to(3).value() == 12u);
}

TEST_CASE("CheckedSize remembers an overflow whatever follows") {
  CHECK_FALSE((CheckedSize(largest) + 1).valid());
  CHECK_FALSE((CheckedSize(largest) * 2).valid());
  CHECK_FALSE((CheckedSize(std::uint64_t{1} << 63) * 4 * 0).valid());
  CHECK_FALSE((CheckedSize(1) - 2 + 5).valid());
  CHECK_FALSE(CheckedSize(largest - 3).padded_to(32).valid());
  CHECK_FALSE(CheckedSize(7).padded_to(0).valid());
  CHECK_FALSE(CheckedSize::from_signed(-1).valid());
  CHECK_FALSE((CheckedSize(largest) + 1).fits(largest));
}

TEST_CASE("narrow gives nothing when a number does not fit") {
  CHECK(narrow<std::int32_t>(std::int64_t{-5}) == -5);
  CHECK_FALSE(narrow<std::int32_t>(std::uint64_t{1} << 31));
  CHECK_FALSE(narrow<std::uint32_t>(std::int64_t{-1}));
  CHECK_FALSE(narrow<std::uint64_t>(std::int8_t{-1}));
}
