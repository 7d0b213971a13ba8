#include "solopo/cost/flops.hpp"

#include "catch.hpp"
#include "solopo/cost/model_shapes.hpp"

using namespace solopo;
using namespace solopo::cost;

namespace {
// P_l = 8 (12 + 12) + 12 8 + 3 8 10 = 528; d_q = 12.
constexpr ModelShape tiny{
    .width = 8, .layers = 2, .heads = 4, .kv_heads = 2, .head_dim = 3, .ffn = 10, .vocabulary = 20};
constexpr Work work{.tokens = 7, .pairs = 28, .head_rows = 3};
}  // namespace

TEST_CASE("The operations of a small pass are those counted by hand, at compile time too") {
  static_assert(forward_flops(tiny, work).linear == 2.0 * 2 * 528 * 7);
  CHECK(forward_flops(tiny, work) == Flops{14784, 4.0 * 2 * 12 * 28, 2.0 * 20 * 8 * 3});
  CHECK(backward_flops(tiny, work) == Flops{2 * 14784, 10.0 * 2 * 12 * 28, 4.0 * 20 * 8 * 3});
  CHECK(train_flops(tiny, work) == Flops{3 * 14784, 14.0 * 2 * 12 * 28, 6.0 * 20 * 8 * 3});
  CHECK(recompute_flops(tiny, work, Recompute::layers) == Flops{14784, 4.0 * 2 * 12 * 28, 0});
  CHECK(recompute_flops(tiny, work) == Flops{14784 - 2.0 * 2 * 80 * 7, 4.0 * 2 * 12 * 28, 0});
  CHECK(recompute_flops(tiny, work, Recompute::none) == Flops{});
  CHECK(model_flops(tiny, work) == Flops{3 * 14784, 12.0 * 2 * 12 * 28, 6.0 * 20 * 8 * 3});
}

TEST_CASE("A row that the last layer skips costs that layer's keys and values only") {
  Work skipped = work;
  skipped.last_layer_skipped_tokens = 4;
  skipped.last_layer_skipped_pairs = 10;
  const Flops all = train_flops(tiny, work), less = train_flops(tiny, skipped);
  CHECK(all.linear - less.linear == 6.0 * (528 - 2 * 8 * 6) * 4);
  CHECK(all.attention - less.attention == 14.0 * 12 * 10);
  CHECK(all.head == less.head);
}

TEST_CASE(
    "Reading costs a forward, recomputing a forward of the layers, logits again a forward of the head") {
  const RecordWork record{.differentiated = work, .read = {.tokens = 5, .pairs = 15, .head_rows = 0}};
  const Flops plain = record_flops(tiny, record);
  CHECK(plain == train_flops(tiny, work) + forward_flops(tiny, record.read));
  CHECK(record_flops(tiny, record, {.recompute = Recompute::layers}) ==
        plain + recompute_flops(tiny, work, Recompute::layers));
  CHECK(record_flops(tiny, record, {.recompute_logits = true}) ==
        plain + Flops{0, 0, forward_flops(tiny, work).head});
}

TEST_CASE("A reference costs one forward, once an epoch when it is cached") {
  const RecordWork record = record_work({4, 9, 2, 3}, {});
  const double plain = record_flops(tiny, record).total();
  const double forward = forward_flops(tiny, record.scored).total();
  CHECK(record_flops(tiny, record, {.reference = Reference::every_step}).total() == plain + forward);
  CHECK(record_flops(tiny, record, {.reference = Reference::cached, .epochs = 4}).total() ==
        plain + forward / 4);
}

TEST_CASE(
    "Coupled objectives score a record first, and comparing with the reference takes its logits twice") {
  const RecordWork record = record_work({4, 9, 2, 3}, {});
  const Flops plain = record_flops(tiny, record), forward = forward_flops(tiny, record.scored);
  CHECK(record_flops(tiny, record, {.coupled = true}) == plain + forward);
  CHECK(record_flops(tiny, record, {.reference = Reference::every_step, .coupled = true}).total() ==
        plain.total() + 2 * forward.total());
  const Flops compared = record_flops(tiny, record, {.compares = true});
  CHECK(compared == plain + Flops{0, 0, 2 * forward_flops(tiny, record.differentiated).head});
}

TEST_CASE("Frozen linear layers cost four operations a weight and token, their adapters six") {
  const RecordWork record = record_work({4, 9, 2, 3}, {});
  const double tokens = static_cast<double>(record.differentiated.tokens);
  const Flops full = record_flops(tiny, record);
  const Flops lora = record_flops(tiny, record, {.lora = {.rank = 2}});
  const double adapters = static_cast<double>(lora_weights(tiny, {.rank = 2}));
  CHECK(lora.linear == full.linear / 6 * 4 + 6 * adapters * tokens);
  CHECK(lora.attention == full.attention);
  CHECK(lora.head == full.head / 6 * 4);
  // x A^T a third time: A's weights, rank 2 by 8 inputs of five maps, 12 of o, 10 of down, in 2 layers.
  const Flops again = record_flops(tiny, record, {.lora = {.rank = 2}, .recompute_inner = true});
  CHECK(again.linear - lora.linear == 2.0 * 2 * 2 * (5 * 8 + 12 + 10) * tokens);
}

TEST_CASE(
    "Adapters are computed again with their layers, but not down's, and of skipped rows only k's and v's") {
  const Lora lora{.rank = 2};
  const double adapters = static_cast<double>(lora_layer_weights(tiny, lora));
  const double down = static_cast<double>(lora_layer_weights(tiny, lora, Projections::down));
  CHECK(recompute_flops(tiny, work, Recompute::layers_but_down, lora).linear -
            recompute_flops(tiny, work).linear ==
        2.0 * 2 * (adapters - down) * 7);
  Work skipped = work;
  skipped.last_layer_skipped_tokens = 4;
  CHECK(forward_flops(tiny, skipped, lora).linear - forward_flops(tiny, skipped).linear ==
        2.0 * (2 * 7 * adapters - 4 * (adapters - 2 * (8 + 6) * 2)));
}

TEST_CASE("Whole numbers of operations are exact at the size of a large record") {
  const ModelShape& shape = find_model_shape("qwen2.5-7b");
  const Count rows = 65536;
  const double flops = forward_flops(shape, {.tokens = rows}).linear;
  CHECK(static_cast<Count>(flops) == product(2, product(shape.layer_weights(), product(28, rows))));
}
