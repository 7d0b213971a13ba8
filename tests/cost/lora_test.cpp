#include "solopo/cost/lora.hpp"

#include "catch.hpp"
#include "solopo/cost/model_shapes.hpp"

using namespace solopo;
using namespace solopo::cost;

TEST_CASE("Adapters have rank times inputs and outputs of each map they stand beside") {
  const ModelShape& s = find_model_shape("qwen2.5-7b");
  // q 3584 -> 3584, k and v 3584 -> 512, o 3584 -> 3584; gate and up 3584 -> 18944, down back.
  const Count attention = 7168 + 4096 + 4096 + 7168, mlp = 3 * 22528;
  CHECK(lora_weights(s, {.rank = 16}) == 28 * 16 * (attention + mlp));
  CHECK(lora_weights(s, {.rank = 8, .targets = Projections::attention}) == 28 * 8 * attention);
  CHECK(lora_weights(s, {.rank = 8, .targets = Projections::mlp}) == 28 * 8 * mlp);
  CHECK(lora_weights(s, {.rank = 8, .targets = Projections::q | Projections::down}) ==
        28 * 8 * (7168 + 22528));
  CHECK(lora_layer_weights(s, {.rank = 8}, Projections::k) == 8 * 4096);
  CHECK(lora_layer_inner_weights(s, {.rank = 8}) == 8 * (6 * 3584 + 18944));
  CHECK(lora_weights(s, {}) == 0);
  CHECK_THROWS_WITH(lora_weights(s, {.rank = -1}), Catch::Contains("rank"));
}

TEST_CASE("Maps that read the same rows have their inner activations side by side") {
  CHECK(lora_inner_columns({.rank = 16}) == 48);
  CHECK(lora_inner_columns({.rank = 16, .targets = Projections::q | Projections::v}) == 32);
  CHECK(lora_inner_columns({.rank = 16, .targets = Projections::mlp}) == 32);
  CHECK(lora_inner_columns({.rank = 16, .targets = Projections::o | Projections::down}) == 16);
  CHECK(lora_inner_columns({}) == 0);
}
