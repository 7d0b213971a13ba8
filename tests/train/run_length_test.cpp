#include "solopo/train/run_length.hpp"

#include "catch.hpp"

using namespace solopo;

TEST_CASE("Steps follow from epochs, the last step takes what is left, and max_steps goes first") {
  CHECK(run_length(7, 3, 2, 0).steps == 5);
  CHECK(run_length(7, 3, 2, 0).places == 14);
  CHECK(run_length(6, 3, 1, 0).steps == 2);
  CHECK(run_length(7, 3, 0.5, 0).places == 4);
  CHECK(run_length(7, 3, 2, 11).steps == 11);
  CHECK(run_length(7, 3, 2, 11).places == 33);
  CHECK_THROWS_AS(run_length(0, 3, 1, 0), ArgumentError);
  CHECK_THROWS_AS(run_length(7, 0, 1, 0), ArgumentError);
  CHECK_THROWS_AS(run_length(7, 3, 0, 0), ArgumentError);
  CHECK_THROWS_AS(run_length(7, 3, 0.01, 0), ArgumentError);
}
