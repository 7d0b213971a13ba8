#include "solopo/cost/model_shape.hpp"

#include "catch.hpp"

using namespace solopo;
using namespace solopo::cost;

namespace {
constexpr ModelShape tiny{.width = 8,
                          .layers = 2,
                          .heads = 4,
                          .kv_heads = 2,
                          .head_dim = 3,
                          .ffn = 10,
                          .vocabulary = 20,
                          .attention_bias = true};
}

TEST_CASE("The weights of a small shape are those counted by hand") {
  static_assert(tiny.query_width() == 12 && tiny.kv_width() == 6 && tiny.qkv_width() == 24);
  // q 12 x 8, k and v 6 x 8 each, o 8 x 12, gate and up 10 x 8 each, down 8 x 10.
  CHECK(tiny.layer_weights() == 96 + 48 + 48 + 96 + 80 + 80 + 80);
  // A layer also has two norms of 8 and 24 biases; the model a norm of 8, an embedding and a head of 20 x 8.
  CHECK(tiny.weights() == 2 * (528 + 16 + 24) + 8 + 2 * 160);
}

TEST_CASE("A tied head is counted once") {
  ModelShape tied = tiny;
  tied.tied_head = true;
  CHECK(tiny.weights() - tied.weights() == 160);
}

TEST_CASE("A shape that no model can have is refused by the member's name") {
  CHECK_NOTHROW(require_shape(tiny));
  const auto without = [](Count ModelShape::*member, Count value) {
    ModelShape shape = tiny;
    shape.*member = value;
    return shape;
  };
  CHECK_THROWS_WITH(require_shape(without(&ModelShape::width, 0)), Catch::Contains("width: 0"));
  CHECK_THROWS_WITH(require_shape(without(&ModelShape::layers, -1)), Catch::Contains("layers: -1"));
  CHECK_THROWS_WITH(require_shape(without(&ModelShape::kv_heads, 3)), Catch::Contains("does not divide"));
  CHECK_THROWS_WITH(require_shape(without(&ModelShape::vocabulary, 0)), Catch::Contains("vocabulary"));
}
