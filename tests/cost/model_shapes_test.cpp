#include "solopo/cost/model_shapes.hpp"

#include "catch.hpp"

using namespace solopo;
using namespace solopo::cost;

// The counts in the headers of the models' safetensors files, which nobody computed from these shapes.
TEST_CASE("Every shape has as many weights as its model's files hold") {
  static_assert(find_model_shape("smollm2-135m").weights() == 134'515'008);
  CHECK(find_model_shape("smollm2-135m").weights() == 134'515'008);
  CHECK(find_model_shape("qwen2.5-0.5b").weights() == 494'032'768);
  CHECK(find_model_shape("qwen2.5-1.5b").weights() == 1'543'714'304);
  CHECK(find_model_shape("qwen2.5-7b").weights() == 7'615'616'512);
  CHECK(find_model_shape("llama-3.1-8b").weights() == 8'030'261'248);
}

TEST_CASE("Every shape is one that a model can have") {
  for (const NamedShape& known : model_shapes) {
    CAPTURE(known.name);
    CHECK_NOTHROW(require_shape(known.shape));
    CHECK(find_model_shape(known.name) == known.shape);
  }
}

TEST_CASE("A shape that is not there is refused with the names of those that are") {
  CHECK_THROWS_WITH(find_model_shape("gpt-2"),
                    Catch::Contains("'gpt-2'") && Catch::Contains("qwen2.5-7b, llama-3.1-8b"));
}
