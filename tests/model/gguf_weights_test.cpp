#include "solopo/model/gguf_weights.hpp"

#include "catch.hpp"
#include "tiny_llama.hpp"

using namespace solopo;

TEST_CASE("every tensor of a model has a name of its own in GGUF") {
  const LlamaLayout layout(test::tiny_config());
  CHECK(gguf_tensor_name("model.layers.11.self_attn.o_proj.weight") == "blk.11.attn_output.weight");
  std::vector<std::string> names;
  for (const TensorSlot& slot : layout.slots()) names.push_back(gguf_tensor_name(slot.name));
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK_THROWS_AS(gguf_tensor_name("model.layers.0.self_attn.q_norm.weight"), ArgumentError);
}
