#include "solopo/core/response.hpp"

#include "catch.hpp"

using namespace solopo;

TEST_CASE("A set of needs has exactly the bits that were joined") {
  constexpr Needs set = Needs::chosen | Needs::ref_rejected;
  CHECK(has(set, Needs::chosen));
  CHECK(has(set, Needs::ref_rejected));
  CHECK_FALSE(has(set, Needs::rejected));
  CHECK_FALSE(has(set, Needs::chosen | Needs::rejected));
  CHECK(has(set, Needs::none));
}

TEST_CASE("The reference bits follow the response bits") {
  CHECK(reference_of(Needs::chosen) == Needs::ref_chosen);
  CHECK(reference_of(Needs::rejected_long) == Needs::ref_rejected_long);
  CHECK(reference_of(Needs::chosen | Needs::chosen_long) == (Needs::ref_chosen | Needs::ref_chosen_long));
  CHECK(reference_of(Needs::ref_chosen) == Needs::none);
  CHECK(needs_of_responses(Needs::chosen, false) == Needs::chosen);
  CHECK(needs_of_responses(Needs::chosen, true) == (Needs::chosen | Needs::ref_chosen));
}

TEST_CASE("Only a ref_ bit makes a reference model necessary") {
  CHECK_FALSE(needs_reference(Needs::chosen | Needs::rejected | Needs::chosen_long | Needs::rejected_long));
  CHECK(needs_reference(Needs::ref_rejected_long));
  CHECK(needs_reference(Needs::chosen | Needs::ref_chosen));
}

TEST_CASE("Designated initialisers leave the rest at zero") {
  constexpr Pair<float> p{.chosen = {.logp = -12.f, .length = 8.f}};
  CHECK(p.chosen.ref_logp == 0.f);
  CHECK(p.rejected_long.length == 0.f);
}
