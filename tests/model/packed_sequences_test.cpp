#include "solopo/model/packed_sequences.hpp"

#include <vector>

#include "catch.hpp"

using namespace solopo;
using Ids = std::vector<std::int32_t>;

TEST_CASE("a response's last token is predicted and has no row") {
  PackedSequences batch;
  CHECK(batch.append(Ids{5, 6, 7}, Ids{8, 9}) == 0);
  CHECK(batch.tokens == Ids{5, 6, 7, 8});
  CHECK(batch.positions == Ids{0, 1, 2, 3});
  REQUIRE(batch.targets.size() == 2);
  CHECK(batch.targets[0].row == 2);
  CHECK(batch.targets[0].token == 8);
  CHECK(batch.targets[1].row == 3);
  CHECK(batch.targets[1].token == 9);
}

TEST_CASE("a shared prompt is there once and responses do not see each other") {
  PackedSequences batch;
  const Ids prompt{1, 2, 3, 4}, a{5, 6, 7}, b{8}, c{9, 10};
  const std::span<const std::int32_t> all[] = {a, b, c};
  CHECK(batch.append_shared(prompt, all) == Ids{0, 1, 2});
  CHECK(batch.tokens == Ids{1, 2, 3, 4, 5, 6, 9});
  CHECK(batch.positions == Ids{0, 1, 2, 3, 4, 5, 4});
  CHECK(batch.targets.size() == 6);
  CHECK(batch.targets[3].row == 3);  // b's only token follows the prompt's last row
  // Pairs: prompt 10, a 2 rows over 4 keys + 3, c 1 row over 4 + 1.
  CHECK(kernels::attention_pairs(batch.tiles) == 10 + 8 + 3 + 4 + 1);
}

TEST_CASE("an empty prompt or response is refused by name") {
  PackedSequences batch;
  CHECK_THROWS_WITH(batch.append(Ids{}, Ids{1}), Catch::Contains("prompt"));
  CHECK_THROWS_WITH(batch.append(Ids{1}, Ids{}), Catch::Contains("response[0]"));
}
