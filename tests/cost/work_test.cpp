#include "solopo/cost/work.hpp"

#include "catch.hpp"

using namespace solopo;
using namespace solopo::cost;

TEST_CASE("Works add up member by member") {
  const Work a{1, 2, 3, 4, 5}, b{10, 20, 30, 40, 50};
  CHECK(a + b == Work{11, 22, 33, 44, 55});
  Work c = a;
  c += b;
  CHECK(c == a + b);
}

TEST_CASE("A sum of works that does not fit in 64 bits is refused") {
  const Work half{.tokens = 1, .pairs = std::numeric_limits<Count>::max() / 2 + 1};
  CHECK_THROWS_AS(half + half, ArgumentError);
}
