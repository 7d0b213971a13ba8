#include "solopo/model/llama_weights.hpp"

#include "catch.hpp"
#include "tiny_llama.hpp"

using namespace solopo;

TEST_CASE("q, k, v lie behind each other, and so do gate and up") {
  const LlamaConfig config = test::tiny_config();
  const LlamaLayout layout(config);
  const auto at = [&](const char* name) { return layout.slot(std::string("model.layers.1.") + name); };
  const auto follows = [](const TensorSlot& a, const TensorSlot& b) { return a.offset + a.size == b.offset; };
  CHECK(follows(at("self_attn.q_proj.weight"), at("self_attn.k_proj.weight")));
  CHECK(follows(at("self_attn.k_proj.weight"), at("self_attn.v_proj.weight")));
  CHECK(follows(at("self_attn.q_proj.bias"), at("self_attn.k_proj.bias")));
  CHECK(follows(at("mlp.gate_proj.weight"), at("mlp.up_proj.weight")));
  CHECK(layout.layers[1].qkv == at("self_attn.q_proj.weight").offset);
}

TEST_CASE("slots do not overlap and stay inside the buffer") {
  const LlamaLayout layout(test::tiny_config());
  std::size_t end = 0;
  for (const TensorSlot& slot : layout.slots()) {
    CHECK(slot.offset >= end);
    end = slot.offset + slot.size;
  }
  CHECK(end <= layout.size());
}

TEST_CASE("a tied model has no head of its own") {
  const LlamaLayout tied(test::tiny_config(true)), untied(test::tiny_config(false));
  CHECK(tied.head == tied.embedding);
  CHECK_THROWS_AS(tied.slot("lm_head.weight"), ArgumentError);
  CHECK(untied.slot("lm_head.weight").shape == std::vector<std::int64_t>{50, 24});
}
