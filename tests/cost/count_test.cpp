#include "solopo/cost/count.hpp"

#include "catch.hpp"

using namespace solopo;
using namespace solopo::cost;

TEST_CASE("The pairs of n causal rows are n (n + 1) / 2") {
  Count pairs = 0;
  for (Count n = 0; n < 100; ++n) {
    pairs += n;
    CHECK(triangle(n) == pairs);
  }
}

TEST_CASE("A count that does not fit in 64 bits is refused, one that just fits is not") {
  const Count most = std::numeric_limits<Count>::max();
  CHECK(sum(most - 1, 1) == most);
  CHECK_THROWS_AS(sum(most, 1), ArgumentError);
  CHECK(product(most / 3, 3) <= most);
  CHECK_THROWS_AS(product(most / 3 + 1, 3), ArgumentError);
  CHECK(product(most, 0) == 0);
  // The largest n whose triangle fits: 4294967295 * 2147483648 = 2^63 - 2^31.
  CHECK(triangle(4294967295) == 9223372034707292160);
  CHECK_THROWS_WITH(triangle(4294967296), Catch::Contains("64 bits"));
}

TEST_CASE("A negative count is refused by name") {
  CHECK(require_count("rows", 0) == 0);
  CHECK_THROWS_WITH(require_count("rows", -1), Catch::Contains("rows: -1"));
}
