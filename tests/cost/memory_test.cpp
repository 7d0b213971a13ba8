#include "solopo/cost/memory.hpp"

#include "catch.hpp"
#include "solopo/cost/model_shapes.hpp"

using namespace solopo;
using namespace solopo::cost;

namespace {
constexpr ModelShape tiny{
    .width = 8, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 3, .ffn = 10, .vocabulary = 20};
}

TEST_CASE("The memory of a small step is that counted by hand") {
  const MemoryBytes m = training_memory(tiny, 7, 3);
  const Count weights = tiny.weights();
  CHECK(m.weights == 4 * weights);
  CHECK(m.gradients == 4 * weights);
  CHECK(m.optimiser == 8 * weights);
  // Three streams of 8; in two layers q, k, v 24, attention 12, log-sum-exp 4, stream 8, gate and up 20.
  CHECK(m.activations == 4 * 7 * (3 * 8 + 2 * 68));
  // Forward: normalised 8, inner 10. Backward: q, k, v 24, attention 12, gate and up 20, inner 10, two of 8.
  CHECK(m.workspace == 4 * 7 * (18 + 24 + 12 + 20 + 10 + 16));
  CHECK(m.head == 4 * (3 * 20 + 3 * 2 * 8));
  CHECK(m.key_sums == 4 * 7 * 2 * 6);  // one block of query rows: one part
  CHECK(m.read_keys == 0);
  CHECK(m.total() ==
        m.weights + m.gradients + m.optimiser + m.activations + m.workspace + m.head + m.key_sums);
}

TEST_CASE("Recompute keeps each layer's input and one layer's arrays") {
  const MemoryBytes m = training_memory(tiny, 7, 3, {.kept = Kept::layer_inputs});
  CHECK(m.activations == 4 * 7 * (3 * 8 + 68));
  CHECK(m.workspace == training_memory(tiny, 7, 3).workspace);
}

TEST_CASE("An MLP that works on few rows holds its arrays for these, and what is kept for all") {
  const auto with = [](Kept kept, Count mlp_rows) {
    return training_memory(tiny, 7, 3, {.kept = kept, .mlp_rows = mlp_rows});
  };
  // Gate and up 20; inner activation 10, its gradient 10, that of gate and up 20.
  CHECK(with(Kept::layer_inputs, 3).activations == 4 * (7 * (3 * 8 + 48) + 3 * 20));
  CHECK(with(Kept::everything, 3).activations == training_memory(tiny, 7, 3).activations);
  for (const Kept kept : {Kept::layer_inputs, Kept::everything}) {
    CHECK(with(kept, 3).workspace == 4 * (7 * (8 + 24 + 12 + 16) + 3 * 40));
    CHECK(with(kept, 7).total() == with(kept, 0).total());
    CHECK(with(kept, 8).total() == with(kept, 0).total());
  }
  CHECK(activation_memory(tiny, 7, 3, {.kept = Kept::nothing, .mlp_rows = 2}).step() ==
        4 * (7 * (2 * 8 + 48 + 8) + 2 * 30) + 4 * (3 * 20 + 3 * 8));
  CHECK_THROWS_WITH(activation_memory(tiny, 7, 3, {.mlp_rows = -1}), Catch::Contains("mlp_rows"));
}

TEST_CASE("A pass without gradients keeps one layer and two streams") {
  const MemoryBytes m = activation_memory(tiny, 7, 3, {.kept = Kept::nothing});
  CHECK(m.activations == 4 * 7 * (2 * 8 + 68));
  CHECK(m.workspace == 4 * 7 * 18);
  CHECK(m.head == 4 * (3 * 20 + 3 * 8));
  CHECK(m.key_sums == 0);
}

TEST_CASE(
    "The tile of logits does not grow with the rows, and rows read without gradient hold keys and values") {
  const MemoryBytes some = activation_memory(tiny, 1000, 512), more = activation_memory(tiny, 1000, 548);
  CHECK(more.head - some.head == 4 * 36 * 2 * 8);
  CHECK(activation_memory(tiny, 10, 1, {}, 500).read_keys == 4 * 500 * 2 * 2 * 6);
}

TEST_CASE("bfloat16 halves activations and the used weights, and adds float32 masters") {
  const MemoryBytes f = training_memory(tiny, 7, 3),
                    b = training_memory(tiny, 7, 3, {.storage = bf16_storage});
  CHECK(2 * b.activations == f.activations);
  CHECK(b.weights == (2 + 4) * tiny.weights());
  CHECK(b.gradients == f.gradients);
}

TEST_CASE("Adapters alone have gradients and optimiser state") {
  const Lora lora{.rank = 2};
  const MemoryBytes m = state_memory(tiny, {.lora = lora});
  const Count adapters = lora_weights(tiny, lora);
  CHECK(m.weights == 4 * (tiny.weights() + adapters));
  CHECK(m.gradients == 4 * adapters);
  CHECK(m.optimiser == 8 * adapters);
  // And inner activations of q, k and v: in the forward, and their gradients in the backward.
  const Count more = 4 * 7 * 3 * 2;
  CHECK(activation_memory(tiny, 7, 3, {.lora = lora}).step() ==
        activation_memory(tiny, 7, 3).step() + 2 * more);
  CHECK(activation_memory(tiny, 7, 3, {.kept = Kept::nothing, .lora = lora}).step() ==
        activation_memory(tiny, 7, 3, {.kept = Kept::nothing}).step() + more);
}

TEST_CASE("Memory grows with every length and with nothing else") {
  for (const Kept kept : {Kept::everything, Kept::layer_inputs, Kept::nothing}) {
    const MemoryOptions options{.kept = kept};
    const Count m = activation_memory(tiny, 300, 20, options).step();
    CHECK(activation_memory(tiny, 301, 20, options).step() > m);
    CHECK(activation_memory(tiny, 300, 21, options).step() > m);
    CHECK(activation_memory(tiny, 300, 20, options, 1).step() > m);
  }
  CHECK_THROWS_WITH(activation_memory(tiny, Count(1) << 60, 1), Catch::Contains("64 bits"));
  CHECK_THROWS_WITH(activation_memory(tiny, -1, 1), Catch::Contains("rows"));
}
