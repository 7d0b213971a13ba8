#include "solopo/alignment/any_distance.hpp"

#include "catch.hpp"

using namespace solopo;

TEMPLATE_TEST_CASE("A distance chosen at run time equals the one it names", "", float, double) {
  using Kind = AnyDistance::Kind;
  for (const TestType d : {TestType(-3), TestType(-0.2), TestType(0), TestType(0.7), TestType(40)}) {
    CHECK(AnyDistance{}.value(d) == Absolute{}.value(d));
    CHECK(AnyDistance{}.slope(d) == Absolute{}.slope(d));
    CHECK(AnyDistance{Kind::squared}.value(d) == Squared{}.value(d));
    CHECK(AnyDistance{Kind::squared}.slope(d) == Squared{}.slope(d));
    CHECK((AnyDistance{Kind::huber, 0.5f}.value(d)) == Huber{0.5f}.value(d));
    CHECK((AnyDistance{Kind::huber, 0.5f}.slope(d)) == Huber{0.5f}.slope(d));
  }
}
