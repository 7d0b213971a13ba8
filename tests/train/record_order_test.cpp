#include "solopo/train/record_order.hpp"

#include <algorithm>

#include "catch.hpp"

using namespace solopo;

TEST_CASE("Every epoch meets every record once, in another order") {
  RecordOrder order(1, 50);
  const std::vector<std::size_t> first = order.batch(0, 50), second = order.batch(50, 50);
  CHECK(first != second);
  for (std::vector<std::size_t> epoch : {first, second}) {
    std::sort(epoch.begin(), epoch.end());
    for (std::size_t i = 0; i < 50; ++i) CHECK(epoch[i] == i);
  }
}

TEST_CASE("A place has the same record whatever was asked before") {
  RecordOrder forward(3, 7), jumping(3, 7);
  std::vector<std::size_t> expected = forward.batch(0, 40);
  for (std::size_t place : {39u, 0u, 20u, 6u, 7u, 13u, 14u, 38u}) CHECK(jumping.at(place) == expected[place]);
  CHECK(jumping.batch(5, 10) == std::vector<std::size_t>(expected.begin() + 5, expected.begin() + 15));
}

TEST_CASE("Another seed is another order, and one record is the same always") {
  CHECK(RecordOrder(1, 30).batch(0, 30) != RecordOrder(2, 30).batch(0, 30));
  CHECK(RecordOrder(1, 1).batch(0, 3) == std::vector<std::size_t>{0, 0, 0});
  CHECK_THROWS_AS(RecordOrder(1, 0), ArgumentError);
}
