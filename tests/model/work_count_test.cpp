#include "solopo/model/work_count.hpp"
#include "solopo/model/computed_pairs.hpp"

#include <atomic>
#include <span>
#include <vector>

#include "catch.hpp"
#include "random_values.hpp"
#include "solopo/model/llama.hpp"
#include "solopo/model/model_cost.hpp"
#include "solopo/train/collate.hpp"
#include "tiny_llama.hpp"

using namespace solopo;

namespace {

// Sizes that no number of rows below equals, so that a product tells by its sizes whether it is the head's.
LlamaConfig config() {
  LlamaConfig c = test::tiny_config();
  c.vocab_size = 211;
  return c;
}

// Counts the operations of the products that are really computed.
struct CountingProduct {
  static inline std::atomic<std::int64_t> layers{0}, head{0};

  static void reset() { layers = head = 0; }

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    (m == 211 || n == 211 || k == 211 ? head : layers) += 2 * m * n * k;
    kernels::EigenProduct::gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
};

// Responses of more rows than kernels::skinny_rows: fewer do not go through the counted product.
PreferenceRecord record() {
  return {.id = "r",
          .prompt = test::random_tokens(70, 211, "short"),
          .prompt_long = test::random_tokens(150, 211, "long"),
          .chosen = test::random_tokens(29, 211, "chosen"),
          .rejected = test::random_tokens(26, 211, "rejected"),
          .third = {}};
}
constexpr cost::RecordLengths lengths{.prompt = 70, .prompt_long = 150, .chosen = 29, .rejected = 26};

constexpr Needs both_responses = Needs::chosen | Needs::rejected;

// What training runs, and the same in the cost model.
struct Case {
  const char* name;
  Needs needs;
  TrainContext context;
  cost::Sides sides;
  LongGradient long_gradient = LongGradient::full;
};
const Case cases[] = {
    {"DPO on the short prompt", both_responses, TrainContext::short_prompt, cost::Sides::pair_short},
    {"Long-DPO", both_responses, TrainContext::long_prompt, cost::Sides::pair_long},
    {"SoLoPO", both_responses | Needs::chosen_long, TrainContext::short_prompt, cost::Sides::solopo},
    {"SoLoPO, both aligned", both_responses | Needs::chosen_long | Needs::rejected_long,
     TrainContext::short_prompt, cost::Sides::solopo_both},
    {"SoLoPO, response only", both_responses | Needs::chosen_long, TrainContext::short_prompt,
     cost::Sides::solopo, LongGradient::response},
    {"SoLoPO, both aligned, response only", both_responses | Needs::chosen_long | Needs::rejected_long,
     TrainContext::short_prompt, cost::Sides::solopo_both, LongGradient::response},
};

CollateOptions layout_of(const Case& c, bool share) {
  return {.needs = c.needs, .context = c.context, .share_prefix = share, .long_gradient = c.long_gradient};
}

}  // namespace

TEST_CASE("What the model computes of a record is what the cost model says, to the last operation and byte") {
  const LlamaWeights<float> weights = test::random_weights<float>(config());
  const cost::ModelShape shape = model_shape(weights.config);
  for (const Case& c : cases)
    for (const bool share : {false, true})
      for (const bool recompute : {false, true}) {
        CAPTURE(c.name, share, recompute);
        const cost::RecordWork predicted =
            llama_work(lengths, {.sides = c.sides, .share_prefix = share, .long_gradient = c.long_gradient});
        const Collated batch = collate(record(), layout_of(c, share), Side::policy);
        CountingProduct::reset();
        Llama<float, CountingProduct> model(weights, {.recompute = recompute});
        model.forward(batch.sequences);
        const std::vector<float> dlogps(static_cast<std::size_t>(batch.sequences.responses), 1.0f);
        std::vector<float> gradients(weights.layout.size());
        model.backward(dlogps, gradients);

        CHECK(model.work().forward == predicted.differentiated + predicted.read);
        CHECK(model.work().backward == predicted.differentiated);
        CHECK(model.work().recomputed.tokens == (recompute ? predicted.differentiated.tokens : 0));
        const cost::Flops flops = cost::record_flops(shape, predicted, llama_training(recompute));
        CHECK(work_flops(shape, model.work()) == flops);
        CHECK(static_cast<double>(CountingProduct::layers) == flops.linear);
        CHECK(static_cast<double>(CountingProduct::head) == flops.head);

        cost::MemoryOptions options = llama_memory(recompute);
        options.read_rows_at_once = lengths.prompt_long - 1;
        const cost::MemoryBytes memory = cost::activation_memory(
            shape, predicted.peak_tokens, predicted.differentiated.head_rows, options, predicted.read_tokens);
        CHECK(static_cast<cost::Count>(model.peak_bytes()) ==
              memory.activations + memory.workspace + memory.head + memory.read_keys);
      }
}

TEST_CASE("An MLP that works on few rows computes the same and holds what the cost model says") {
  const LlamaWeights<float> weights = test::random_weights<float>(config());
  const LoraWeights<float> lora(weights.config, {.rank = 5, .alpha = 10});
  const cost::ModelShape shape = model_shape(weights.config);
  for (const Case& c : cases)
    for (const bool adapted : {false, true})
      for (const bool recompute : {false, true})
        for (const std::int32_t mlp_rows : {1, 7, 40, 64, 1000}) {
          CAPTURE(c.name, adapted, recompute, mlp_rows);
          const cost::RecordWork predicted =
              llama_work(lengths, {.sides = c.sides, .share_prefix = true, .long_gradient = c.long_gradient});
          const Collated batch = collate(record(), layout_of(c, true), Side::policy);
          const LlamaOptions how{.recompute = recompute, .mlp_rows = mlp_rows};
          using Model = Llama<float, CountingProduct>;
          Model model = adapted ? Model(weights, lora, how) : Model(weights, how);
          CountingProduct::reset();
          model.forward(batch.sequences);
          const std::vector<float> dlogps(static_cast<std::size_t>(batch.sequences.responses), 1.0f);
          std::vector<float> gradients(adapted ? lora.layout.size() : weights.layout.size());
          model.backward(dlogps, gradients);

          const cost::Lora adapters = adapted ? lora_shape(lora.config) : cost::Lora{};
          const cost::Flops flops = cost::record_flops(shape, predicted, llama_training(recompute, adapters));
          CHECK(work_flops(shape, model.work(), adapters) == flops);
          // Parts of at most kernels::skinny_rows are not counted, as above.
          if (mlp_rows >= 40) CHECK(static_cast<double>(CountingProduct::layers) == flops.linear);
          cost::MemoryOptions options = llama_memory(recompute, adapters, mlp_rows);
          options.read_rows_at_once = lengths.prompt_long - 1;
          const cost::MemoryBytes memory =
              cost::activation_memory(shape, predicted.peak_tokens, predicted.differentiated.head_rows,
                                      options, predicted.read_tokens);
          CHECK(static_cast<cost::Count>(model.peak_bytes()) ==
                memory.activations + memory.workspace + memory.head + memory.read_keys);
        }
}

TEST_CASE("The same with adapters: frozen weights have no gradients, and thin products stand beside them") {
  const LlamaWeights<float> weights = test::random_weights<float>(config());
  const cost::ModelShape shape = model_shape(weights.config);
  for (const Projections targets : {Projections::all, Projections::attention, Projections::mlp,
                                    Projections::q | Projections::v, Projections::k | Projections::down})
    for (const Case& c : cases)
      for (const bool recompute : {false, true}) {
        CAPTURE(static_cast<unsigned>(targets), c.name, recompute);
        const LoraWeights<float> lora(weights.config, {.rank = 5, .alpha = 10, .targets = targets});
        const cost::Lora adapters = lora_shape(lora.config);
        const cost::RecordWork predicted =
            llama_work(lengths, {.sides = c.sides, .share_prefix = true, .long_gradient = c.long_gradient});
        const Collated batch = collate(record(), layout_of(c, true), Side::policy);
        CountingProduct::reset();
        Llama<float, CountingProduct> model(weights, lora, {.recompute = recompute});
        model.forward(batch.sequences);
        const std::vector<float> dlogps(static_cast<std::size_t>(batch.sequences.responses), 1.0f);
        std::vector<float> gradients(lora.layout.size());
        model.backward(dlogps, gradients);

        const cost::Flops flops = cost::record_flops(shape, predicted, llama_training(recompute, adapters));
        CHECK(work_flops(shape, model.work(), adapters) == flops);
        CHECK(static_cast<double>(CountingProduct::layers) == flops.linear);
        CHECK(static_cast<double>(CountingProduct::head) == flops.head);

        cost::MemoryOptions options = llama_memory(recompute, adapters);
        options.read_rows_at_once = lengths.prompt_long - 1;
        const cost::MemoryBytes memory = cost::activation_memory(
            shape, predicted.peak_tokens, predicted.differentiated.head_rows, options, predicted.read_tokens);
        CHECK(static_cast<cost::Count>(model.peak_bytes()) ==
              memory.activations + memory.workspace + memory.head + memory.read_keys);
        cost::Count numbers = 0;
        for (const TensorSlot& slot : lora.layout.slots()) numbers += static_cast<cost::Count>(slot.size);
        CHECK(cost::lora_weights(shape, adapters) == numbers);
      }
}

TEST_CASE("Scoring counts a forward and holds one layer") {
  const LlamaWeights<float> weights = test::random_weights<float>(config());
  const cost::RecordWork predicted = llama_work(lengths, {.share_prefix = true});
  const Collated batch = collate(record(), {.needs = both_responses | Needs::chosen_long}, Side::policy);
  Llama<float> model(weights);
  model.response_logps(batch.sequences);
  CHECK(model.work().forward == predicted.scored);
  CHECK(model.work().backward == cost::Work{});
  cost::MemoryOptions options = llama_memory(false);
  options.kept = cost::Kept::nothing;
  const cost::MemoryBytes memory = cost::activation_memory(
      model_shape(weights.config), predicted.scored.tokens, predicted.scored.head_rows, options);
  CHECK(static_cast<cost::Count>(model.peak_bytes()) == memory.activations + memory.workspace + memory.head);
}

TEST_CASE("Attention's products compute 4 and 10 operations for each pair of their blocks and no others") {
  const kernels::AttentionShape shape{4, 2, 6};
  for (const Case& c : cases)
    for (const bool share : {false, true}) {
      CAPTURE(c.name, share);
      if (c.long_gradient != LongGradient::full) continue;  // its tiles need what was read
      const Collated batch = collate(record(), layout_of(c, share), Side::policy);
      const auto& tiles = batch.sequences.tiles;
      const auto rows = static_cast<std::ptrdiff_t>(batch.sequences.tokens.size());
      const std::int64_t pairs = computed_pairs(tiles, static_cast<std::int32_t>(rows));
      CHECK(pairs >= kernels::attention_pairs(tiles));

      std::vector<float> q = test::normal_values<float>(rows * 24, "q"), k(rows * 12, 0.5f),
                         v(rows * 12, 0.25f), out(rows * 24), lse(rows * 4), dq(rows * 24), dk(rows * 12),
                         dv(rows * 12);
      const auto view = [rows](std::vector<float>& x, std::ptrdiff_t columns) {
        return dense(x.data(), rows, columns);
      };
      CountingProduct::reset();
      kernels::attention_forward<float, CountingProduct>(shape, tiles, view(q, 24), view(k, 12), view(v, 12),
                                                         view(out, 24), view(lse, 4));
      CHECK(CountingProduct::layers == 4 * 24 * pairs);
      CountingProduct::reset();
      kernels::attention_backward<float, CountingProduct>(shape, tiles, view(q, 24), view(k, 12), view(v, 12),
                                                          view(out, 24), view(lse, 4), view(q, 24),
                                                          view(dq, 24), view(dk, 12), view(dv, 12));
      CHECK(CountingProduct::layers == 10 * 24 * pairs);
    }
}

TEST_CASE(
    "Blocks of attention meet n (n + 64) / 2 pairs where n causal rows in whole blocks have n (n + 1) / 2") {
  for (const std::int32_t n : {64, 128, 640}) {
    const kernels::AttentionTile tile[] = {{0, n, 0, n, true}};
    CHECK(computed_pairs(tile, n) == std::int64_t(n) * (n + 64) / 2);
    CHECK(kernels::attention_pairs(tile) == std::int64_t(n) * (n + 1) / 2);
  }
}

TEST_CASE("An arena that grows takes what it needs and no more") {
  LlamaRunState<float> grown, fresh;
  for (const std::int32_t rows : {100, 101, 90}) grown.prepare(config(), rows, KeepActivations::all);
  fresh.prepare(config(), 101, KeepActivations::all);
  CHECK(grown.bytes() == fresh.bytes());
}

TEST_CASE("A configuration's shape has the weights of its layout, padding apart") {
  for (const bool tied : {false, true})
    for (const bool bias : {false, true}) {
      const LlamaConfig c = test::tiny_config(tied, bias);
      cost::Count weights = 0;
      const LlamaLayout layout(c);
      for (const TensorSlot& slot : layout.slots()) weights += static_cast<cost::Count>(slot.size);
      CHECK(model_shape(c).weights() == weights);
    }
}

TEST_CASE("A model that meets longer responses holds no more than one that meets the longest alone") {
  const LlamaWeights<float> weights = test::random_weights<float>(config());
  const auto held = [&](std::initializer_list<std::size_t> sizes) {
    Llama<float> model(weights);
    std::vector<float> gradients(weights.data.size());
    for (const std::size_t size : sizes) {
      PreferenceRecord longer = record();
      longer.chosen.assign(size, 3);
      longer.rejected.assign(size, 4);
      const Collated batch = collate(longer, {.needs = both_responses}, Side::policy);
      model.forward(batch.sequences);
      model.backward(std::vector<float>(static_cast<std::size_t>(batch.sequences.responses), 1.0f),
                     gradients);
    }
    return model.peak_bytes();
  };
  CHECK(held({30, 31, 29}) == held({31}));
}
