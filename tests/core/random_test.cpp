#include "solopo/core/random.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "catch.hpp"

using solopo::RandomStream;

TEST_CASE("A stream depends on seed, purpose and index, and on nothing else") {
  RandomStream a(1, "shuffle", 2), b(1, "shuffle", 2);
  for (int i = 0; i < 10; ++i) CHECK(a.next() == b.next());
  const auto first = RandomStream(1, "shuffle", 2).next();
  CHECK(first != RandomStream(2, "shuffle", 2).next());
  CHECK(first != RandomStream(1, "sample", 2).next());
  CHECK(first != RandomStream(1, "shuffle", 3).next());
}

TEST_CASE("Uniform and normal draws have the right moments") {
  RandomStream draw(7, "moments");
  const int n = 100'000;
  double u = 0, z = 0, zz = 0;
  for (int i = 0; i < n; ++i) {
    const double x = draw.uniform();
    REQUIRE((x >= 0 && x < 1));
    u += x;
    const double y = draw.normal();
    z += y;
    zz += y * y;
  }
  CHECK(u / n == Approx(0.5).margin(0.005));
  CHECK(z / n == Approx(0).margin(0.015));
  CHECK(zz / n == Approx(1).margin(0.02));
}

TEST_CASE("below covers its range evenly") {
  RandomStream draw(7, "below");
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts.at(draw.below(6));
  for (const int c : counts) CHECK(std::abs(c - 10'000) < 500);
}

TEST_CASE("A shuffle is a permutation that the seed decides") {
  std::vector<int> a(100), b(100), c(100);
  std::iota(a.begin(), a.end(), 0);
  c = b = a;
  RandomStream(5, "order").shuffle(a);
  RandomStream(5, "order").shuffle(b);
  RandomStream(6, "order").shuffle(c);
  CHECK(a == b);
  CHECK(a != c);
  std::sort(a.begin(), a.end());
  for (int i = 0; i < 100; ++i) CHECK(a[static_cast<std::size_t>(i)] == i);
}
