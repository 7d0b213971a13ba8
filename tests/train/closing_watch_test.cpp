#include "solopo/train/closing_watch.hpp"

#include "catch.hpp"

using namespace solopo;

namespace {

// Feeds 60 steps in which the gap falls from 1 to 0; `from_long` of it from the long side rising. True: it
// warned.
int warnings(double from_long, double sign = 1) {
  ClosingWatch watch;
  int count = 0;
  for (int step = 0; step < 60; ++step) {
    const double closed = step < 15 ? 0 : (step - 15) / 45.0;
    count += watch.update(sign * (1 - closed), 5 - (1 - from_long) * closed);
  }
  return count;
}

}  // namespace

TEST_CASE("It warns once when the short side falls while the gap closes, and not when the long side rises") {
  CHECK(warnings(0.0) == 1);
  CHECK(warnings(0.3) == 1);
  CHECK(warnings(0.7) == 0);
  CHECK(warnings(1.0) == 0);
}

TEST_CASE("A gap that does not close, or belongs to a better long side, is no cause") {
  ClosingWatch watch;
  for (int step = 0; step < 60; ++step) CHECK_FALSE(watch.update(1.0, 5.0 - step * 0.1));
  CHECK_FALSE(watch.long_share().has_value());
  CHECK(warnings(0.0, -1) == 0);
}

TEST_CASE("The long side's share of the closing is what was fed") {
  ClosingWatch watch;
  for (int step = 0; step < 300; ++step) {
    const double closed = step < 50 ? 0 : step > 150 ? 1 : (step - 50) / 100.0;
    watch.update(1 - closed, 5 - 0.25 * closed);
  }
  REQUIRE(watch.long_share().has_value());
  CHECK(*watch.long_share() == Approx(0.75).epsilon(1e-3));
}

TEST_CASE("A restored watch goes on as the first would have") {
  ClosingWatch first;
  for (int step = 0; step < 30; ++step) first.update(1 - step * 0.02, 5 - step * 0.02);
  ClosingWatch second;
  second.restore(first.state());
  for (int step = 30; step < 50; ++step) {
    CHECK(first.update(1 - step * 0.02, 5 - step * 0.02) == second.update(1 - step * 0.02, 5 - step * 0.02));
  }
  CHECK(first.long_share() == second.long_share());
}
