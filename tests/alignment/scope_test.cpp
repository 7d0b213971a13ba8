#include "solopo/alignment/scope.hpp"

#include "catch.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace solopo;

TEST_CASE("The scope decides whether the long prompt's rejected response is needed") {
  CHECK_FALSE(has(SoLoPO<SimPO, Absolute, AlignChosen>::needs, Needs::rejected_long));
  CHECK(has(SoLoPO<SimPO, Absolute, AlignBoth>::needs, Needs::rejected_long));
}
