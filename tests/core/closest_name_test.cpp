#include "solopo/core/closest_name.hpp"

#include <array>

#include "catch.hpp"

using namespace solopo;

TEST_CASE("The edit distance counts insertions, deletions and substitutions") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("beta", "beta") == 0);
  CHECK(edit_distance("bta", "beta") == 1);
  CHECK(edit_distance("beta", "") == 4);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("A near name is suggested, a far one is not") {
  const std::array<std::string_view, 3> names{"absolute", "squared", "huber"};
  CHECK(suggestion("huger", names) == "; did you mean 'huber'? (known: absolute, squared, huber)");
  CHECK(suggestion("manhattan", names) == " (known: absolute, squared, huber)");
}

TEST_CASE("A very long wrong name costs no more than a short one") {
  const std::array<std::string_view, 1> names{"dpo"};
  CHECK(suggestion(std::string(10'000'000, 'x'), names) == " (known: dpo)");
}
