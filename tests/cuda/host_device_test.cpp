// The kernels of the CUDA backend, run by a host that plays the device, against the CPU backend.
#include <vector>
#include "catch.hpp"

#include "host_device.hpp"
#include "parity.hpp"
#include "random_values.hpp"
#include "solopo/backends/batch_loss.hpp"
#include "solopo/cuda/batch_kernels.hpp"
#include "solopo/objectives/cpo.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/solopo.hpp"
#include "tiny_llama.hpp"
#include "tiny_lora.hpp"

namespace {

using namespace solopo;
using test::HostQueue;

TEST_CASE("a host that plays a device finds what a device would get wrong", "[cuda]") {
  HostQueue queue(GENERATE(1, 2, 3));
  SECTION("a barrier is missing") {
    const auto rotate = [&](bool barrier) {
      std::vector<int> out(128);
      queue.launch(1, 1, 128, 128 * sizeof(int), [&](test::HostBlock& block) {
        auto* const shared = static_cast<int*>(block.shared());
        shared[block.thread()] = block.thread();
        if (barrier) block.sync();
        out[static_cast<std::size_t>(block.thread())] = shared[(block.thread() + 1) % 128];
      });
      std::vector<int> expected(128);
      for (int i = 0; i < 128; ++i) expected[static_cast<std::size_t>(i)] = (i + 1) % 128;
      return out == expected;
    };
    CHECK(rotate(true));
    CHECK_FALSE(rotate(false));
  }
  SECTION("shared memory is too small") {
    CHECK_THROWS_AS(
        queue.launch(1, 1, 32, 31 * sizeof(int),
                     [](test::HostBlock& block) { static_cast<int*>(block.shared())[block.thread()] = 0; }),
        std::logic_error);
  }
  SECTION("a shuffle that one lane of a warp does") {
    CHECK_THROWS_AS(queue.launch(1, 1, 64, 0,
                                 [](test::HostBlock& block) {
                                   if (block.thread() == 50) block.shuffle_xor(1, 1);
                                 }),
                    std::logic_error);
  }
}

// Pairs on the host through the kernels of cuda::batch_loss(), by a host that plays the device.
template <class O>
void check_batch_kernels(const O& objective, std::size_t pairs) {
  CAPTURE(pairs);
  using Numbers = std::vector<float>;
  const auto below = [&](const char* name) {
    Numbers out = test::normal_values<float>(pairs, name);
    for (float& x : out) x = -5 - x * x;
    return out;
  };
  const auto response = [&](const std::string& name) {
    Numbers length(pairs);
    for (std::size_t i = 0; i < pairs; ++i) length[i] = static_cast<float>(3 + (i * 7 + name.size()) % 11);
    return ResponseBatch<Numbers>{.logp = below((name + " logp").c_str()),
                                  .ref_logp = below((name + " ref").c_str()),
                                  .length = std::move(length),
                                  .statistic = {},
                                  .ref_statistic = {}};
  };
  PairBatch<Numbers> batch{
      .chosen = response("chosen"), .rejected = response("rejected"), .chosen_long = response("long")};
  const auto expected = batch_loss(objective, batch);

  const auto pointers = [](const ResponseBatch<Numbers>& y) {
    return ResponseArrays<float>{y.logp.data(), y.ref_logp.data(), y.length.data()};
  };
  PairArrays<float> in{.chosen = pointers(batch.chosen),
                       .rejected = pointers(batch.rejected),
                       .chosen_long = pointers(batch.chosen_long)};
  Numbers loss(pairs), chosen(pairs), rejected(pairs), chosen_long(pairs);
  const PairLossArrays<float> out{loss.data(), chosen.data(), rejected.data(), chosen_long.data()};
  const auto blocks = static_cast<int>((pairs + sum_lanes - 1) / sum_lanes);
  std::vector<PairSums> sums(static_cast<std::size_t>(blocks));
  float mean_length = 0;
  cuda::ReportState state{PairSums{}, no_fault, no_fault, 0, {0}};
  HostQueue queue(pairs);
  const auto run = [&](unsigned long long number) {
    const auto launch = [&](int x, const auto& kernel) {
      queue.launch(x, 1, static_cast<int>(sum_lanes), kernel.shared_bytes, kernel);
    };
    launch(1, cuda::MeanLength<float>{batch.chosen.length.data(), pairs, &mean_length});
    in.mean_length = &mean_length;
    const PairFunctor<O, float> functor{objective, in, out, 1.0f / static_cast<float>(pairs)};
    launch(blocks, cuda::PairLosses<O, float>{functor, pairs, sums.data(), &state.fault});
    launch(1, cuda::FinishReport{sums.data(), sums.size(), number, &state});
  };
  run(0);
  CHECK(state.first == no_fault);
  CHECK(state.sums.pairs == static_cast<double>(pairs));
  CHECK(state.sums.loss / static_cast<double>(pairs) ==
        Approx(static_cast<double>(expected.loss)).epsilon(1e-5));
  CHECK(BatchMetrics::of(state.sums).logps_chosen == Approx(expected.metrics.logps_chosen).epsilon(1e-5));
  for (std::size_t i = 0; i < pairs; ++i) {
    REQUIRE(chosen[i] == Approx(expected.chosen[i]).epsilon(1e-5));
    REQUIRE(rejected[i] == Approx(expected.rejected[i]).epsilon(1e-5));
    if (has(O::needs, Needs::chosen_long))
      REQUIRE(chosen_long[i] == Approx(expected.chosen_long[i]).epsilon(1e-5));
  }

  // The first bad number of the batch is noted, and stays.
  const std::vector<std::size_t> bad = {pairs - 1, pairs / 2};
  for (const std::size_t i : bad) batch.rejected.logp[i] = std::nanf("");
  run(1);
  CHECK_THROWS_WITH(throw error_of(state.first, ""),
                    Catch::Contains("rejected.logp") && Catch::Contains(std::to_string(pairs / 2)));
  CHECK(state.batch == 1);
  CHECK(loss[pairs / 2] == 0);
  run(2);
  CHECK(state.batch == 1);
}

TEST_CASE("a batch of pairs through the kernels is batch_loss()", "[cuda]") {
  const std::size_t pairs = GENERATE(1, 127, 128, 129, 300);
  check_batch_kernels(CPO{.nll = Nll::batch_tokens}, pairs);  // reads the mean length
  check_batch_kernels(SoLoPO<DPO>{.alpha = 3.0f}, pairs);
}

TEST_CASE("sums and maxima of a block", "[cuda]") {
  HostQueue queue;
  const int threads = GENERATE(32, 64, 128), n = GENERATE(1, 31, 64, 131);
  std::vector<float> sums(static_cast<std::size_t>(threads)), tops(sums);
  queue.launch(1, 1, threads, 0, [&](test::HostBlock& block) {
    const cuda::BlockTeam<test::HostBlock> team(block);
    sums[static_cast<std::size_t>(block.thread())] =
        team.sum<float>(n, [](int i) { return static_cast<float>(i); });
    tops[static_cast<std::size_t>(block.thread())] =
        team.max<float>(n, 5, [](int i) { return static_cast<float>(i); });
  });
  for (const float sum : sums) CHECK(sum == static_cast<float>(n * (n - 1) / 2));
  for (const float top : tops) CHECK(top == static_cast<float>(std::max(5, n - 1)));
}

LlamaConfig wide_heads(std::int32_t head_dim) {
  LlamaConfig c = test::tiny_config(true, true);
  c.head_dim = head_dim;
  c.hidden_size = 32;
  return c;
}

TEST_CASE("the device's model gives the host's numbers", "[cuda]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  const bool tied = GENERATE(true, false), read = GENERATE(true, false);
  const LlamaConfig config = test::tiny_config(tied, !tied);
  const auto weights = test::random_weights<float>(config);
  const PackedSequences batch = test::mixed_batch(config.vocab_size, random, read);
  const bool recompute = read;
  const auto statistic = tied ? Statistic::collision_logp : Statistic::none;
  const auto report = test::model_parity<float>(
      queue, weights, batch, {.recompute = recompute, .head_chunk = read ? 5 : 1024}, statistic);
  CAPTURE(tied, read, report.worst);
  CHECK(report.logps <= 1e-6);
  CHECK(report.statistics <= 1e-6);
  CHECK(report.gradient <= 1e-5);
  CHECK(report.same_work);
}

TEST_CASE("the device's adapters give the host's numbers", "[cuda]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  using enum Projections;
  const auto targets = GENERATE(Projections::all, Projections::attention, v | up, q | down);
  const bool read = GENERATE(true, false);
  const LlamaConfig config = test::tiny_config(read, !read);
  const auto weights = test::random_weights<float>(config);
  const auto lora = test::random_lora<float>(config, {.rank = 5, .alpha = 8, .targets = targets});
  const PackedSequences batch = test::mixed_batch(config.vocab_size, random, read);
  const auto report = test::model_parity<float>(
      queue, weights, batch, {.recompute = read, .head_chunk = read ? 5 : 1024}, Statistic::none, &lora);
  CAPTURE(static_cast<unsigned>(targets), read, report.worst);
  CHECK(report.logps <= 1e-6);
  CHECK(report.gradient <= 1e-5);
  CHECK(report.same_work);
}

TEST_CASE("adapters in bfloat16 agree with float32 to rounding", "[cuda]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  const LlamaConfig config = test::tiny_config();
  const auto lora = test::random_lora<float>(config, {.rank = 5, .alpha = 8});
  const auto report = test::model_parity<BFloat16>(queue, test::random_weights<float>(config),
                                                   test::mixed_batch(config.vocab_size, random, false), {},
                                                   Statistic::none, &lora);
  CAPTURE(report.worst);
  CHECK(report.logps <= 1e-2);
  CHECK(report.gradient <= 5e-2);
}

TEST_CASE("adapters of another model are refused on a device", "[cuda]") {
  HostQueue queue;
  LlamaConfig config = test::tiny_config();
  const cuda::DeviceWeights<float, HostQueue> weights(queue, test::random_weights<float>(config));
  config.hidden_size += 8;
  const cuda::DeviceLora<float, HostQueue> foreign(queue, test::random_lora<float>(config, {})),
      none(queue, {});
  const auto model = [&](const auto& lora) { cuda::DeviceLlama<float, HostQueue>(queue, weights, lora); };
  CHECK_THROWS_AS(model(foreign), ArgumentError);
  CHECK_THROWS_AS(model(none), ArgumentError);
}

TEST_CASE("in bfloat16 plain kernels and tensor cores agree with float32 to rounding", "[cuda][slow]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  const int head_dim = GENERATE(64, 128);
  const bool read = GENERATE(true, false);
  const auto kernels = GENERATE(cuda::AttentionKernels::fastest, cuda::AttentionKernels::plain);
  const LlamaConfig config = wide_heads(head_dim);
  const auto weights = test::random_weights<float>(config);
  const PackedSequences batch = test::mixed_batch(config.vocab_size, random, read, 4);
  const auto report =
      test::model_parity<BFloat16>(queue, weights, batch, {.attention = kernels}, Statistic::none);
  CAPTURE(head_dim, read, kernels == cuda::AttentionKernels::plain, report.worst);
  CHECK(report.logps <= 1e-2);
  CHECK(report.gradient <= 5e-2);
}

TEST_CASE("a library's calls, merged, give the host's numbers", "[cuda]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  const bool read = GENERATE(true, false);
  const LlamaConfig config = test::tiny_config();
  const auto weights = test::random_weights<float>(config);
  const PackedSequences batch = test::mixed_batch(config.vocab_size, random, read);
  const auto report = test::model_parity<float>(
      queue, weights, batch, {.attention = cuda::AttentionKernels::library}, Statistic::none);
  CAPTURE(read, report.worst);
  CHECK(queue.library_calls > 0);
  CHECK(report.logps <= 1e-6);
  CHECK(report.gradient <= 1e-5);
}

TEST_CASE("a plan's blocks have every pair of the tiles once, by queries and by keys", "[cuda]") {
  RandomStream random(GENERATE(1, 2, 3), "plan");
  const PackedSequences batch = test::mixed_batch(50, random, GENERATE(true, false), 3);
  const auto rows = static_cast<std::int32_t>(batch.tokens.size());
  const auto keys = std::max(rows, static_cast<std::int32_t>(batch.read_tokens.size()));
  // Pairs by query, key and where the key lies.
  const auto at = [&](std::int32_t q, std::int32_t k, bool read) {
    return (static_cast<std::size_t>(read) * static_cast<std::size_t>(rows) + static_cast<std::size_t>(q)) *
               static_cast<std::size_t>(keys) +
           static_cast<std::size_t>(k);
  };
  const std::size_t size = 2 * static_cast<std::size_t>(rows) * static_cast<std::size_t>(keys);
  std::vector<int> expected(size), by_queries(size), by_keys(size);
  for (const kernels::AttentionTile& t : batch.tiles)
    for (std::int32_t q = t.q_begin; q < t.q_end; ++q)
      for (std::int32_t k = t.kv_begin; k < (t.causal ? t.kv_end - (t.q_end - 1 - q) : t.kv_end); ++k)
        ++expected[at(q, k, t.read)];
  const auto queries = cuda::query_plan(batch.tiles, rows, 16), by_key = cuda::key_plan(batch.tiles, rows, 8);
  std::vector<int> rows_seen(static_cast<std::size_t>(rows)), keys_seen(rows_seen);
  for (const cuda::PlanBlock& block : queries.blocks)
    for (std::int32_t q = block.begin; q < block.end; ++q) {
      ++rows_seen[static_cast<std::size_t>(q)];
      for (std::int32_t t = block.first; t < block.last; ++t) {
        const cuda::TileRange& tile = queries.tiles[static_cast<std::size_t>(t)];
        for (std::int32_t k = tile.kv_begin; k < tile.visible(q); ++k) ++by_queries[at(q, k, tile.read != 0)];
      }
    }
  for (const cuda::PlanBlock& block : by_key.blocks)
    for (std::int32_t k = block.begin; k < block.end; ++k) {
      ++keys_seen[static_cast<std::size_t>(k)];
      for (std::int32_t t = block.first; t < block.last; ++t) {
        const cuda::TileRange& tile = by_key.tiles[static_cast<std::size_t>(t)];
        for (std::int32_t q = tile.q_begin; q < tile.q_end; ++q)
          if (k < tile.visible(q)) ++by_keys[at(q, k, false)];
      }
    }
  CHECK(std::all_of(rows_seen.begin(), rows_seen.end(), [](int n) { return n == 1; }));
  CHECK(std::all_of(keys_seen.begin(), keys_seen.end(), [](int n) { return n == 1; }));
  CHECK(by_queries == expected);
  std::fill(expected.begin() + static_cast<std::ptrdiff_t>(size / 2), expected.end(),
            0);  // read keys have no gradient
  CHECK(by_keys == expected);
}

TEST_CASE("a prompt and its continuation are one call, another continuation two", "[cuda]") {
  PackedSequences batch;
  const std::vector<std::int32_t> prompt(6, 1), chosen(4, 1), rejected(3, 1), lone(2, 1);
  const std::span<const std::int32_t> pair[] = {chosen, rejected};
  batch.append_shared(prompt, pair);
  batch.append(prompt, lone);
  const auto rows = static_cast<std::int32_t>(batch.tokens.size());
  const auto plan = cuda::library_plan(batch.tiles, rows, 1);
  CHECK(plan.rest.empty());
  CHECK(plan.all_keys);
  REQUIRE(plan.calls.size() == 4);
  CHECK((plan.calls[0].causal && plan.calls[0].q_end == 9));
  CHECK((!plan.calls[1].causal && plan.calls[1].kv_end == 6 && plan.calls[1].q_begin == 9));
  CHECK_FALSE(plan.calls[1].first_of_keys);
  CHECK_FALSE(plan.calls[2].first_of_rows);
  CHECK((plan.calls[3].causal && plan.calls[3].q_begin == 11 && plan.calls[3].q_end == 18));
  // The rejected rows have 12 + 3 pairs.
  const auto large = cuda::library_plan(batch.tiles, rows, 16);
  CHECK(large.calls.size() == 2);
  CHECK(large.rest.size() == 2);
  CHECK_FALSE(large.all_keys);
  CHECK(cuda::all_in_tiles({{{0, rows}}, batch.tiles}));
  CHECK_FALSE(cuda::all_in_tiles({{{0, rows + 1}}, batch.tiles}));
}

TEST_CASE("the scored rows of a tile are two calls: what all of them see, and their own", "[cuda]") {
  PackedSequences batch;
  const std::vector<std::int32_t> prompt(6, 1), chosen(4, 1), rejected(3, 1);
  const std::span<const std::int32_t> pair[] = {chosen, rejected};
  batch.append_shared(prompt, pair);
  batch.append(prompt, chosen);
  const auto rows = static_cast<std::int32_t>(batch.tokens.size());
  const ComputedRows scored = scored_rows(batch);
  CHECK(cuda::all_in_tiles(scored));
  const auto plan = cuda::library_plan(scored.tiles, rows, 1);
  CHECK(plan.rest.empty());
  CHECK(plan.all_keys);
  const auto same = [](const cuda::LibraryPlan::Call& c, std::int32_t q_begin, std::int32_t q_end,
                       std::int32_t kv_begin, std::int32_t kv_end, bool causal) {
    return c.q_begin == q_begin && c.q_end == q_end && c.kv_begin == kv_begin && c.kv_end == kv_end &&
           c.causal == causal;
  };
  REQUIRE(plan.calls.size() == 6);
  // The prompt's last row and the chosen rows behind it, the rejected ones, and the lone response.
  CHECK(same(plan.calls[0], 5, 9, 0, 5, false));
  CHECK(same(plan.calls[1], 5, 9, 5, 9, true));
  CHECK(same(plan.calls[2], 9, 11, 0, 6, false));
  CHECK(same(plan.calls[3], 9, 11, 9, 11, true));
  CHECK(same(plan.calls[4], 16, 20, 11, 16, false));
  CHECK(same(plan.calls[5], 16, 20, 16, 20, true));
  CHECK_FALSE(plan.calls[2].first_of_keys);
}

TEST_CASE("ten steps of training on the device's code path", "[cuda]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  const LlamaConfig config = test::tiny_config();
  const auto losses = test::training_parity<float>(queue, test::random_weights<float>(config),
                                                   test::mixed_batch(config.vocab_size, random, false), 10);
  CHECK(losses.first.front() != losses.first.back());
  for (std::size_t s = 0; s < 10; ++s) CHECK(std::abs(losses.first[s] - losses.second[s]) <= 1e-4f);
}

TEST_CASE("ten steps of adapters' training on the device's code path", "[cuda]") {
  HostQueue queue;
  RandomStream random(7, "batch");
  const LlamaConfig config = test::tiny_config();
  const auto losses = test::training_parity<float>(queue, test::random_weights<float>(config),
                                                   test::mixed_batch(config.vocab_size, random, false), 10,
                                                   initial_lora<float>(config, {.rank = 4, .alpha = 8}, 3));
  CHECK(losses.first.front() != losses.first.back());
  for (std::size_t s = 0; s < 10; ++s) CHECK(std::abs(losses.first[s] - losses.second[s]) <= 1e-4f);
}

}  // namespace
