// What a run on a device will ask and hold, before it runs.
#include <cstdint>
#include <vector>
#include "catch.hpp"

#include "host_device.hpp"
#include "solopo/cuda/device_memory.hpp"
#include "solopo/cuda/library_choice.hpp"
#include "solopo/model/model_cost.hpp"
#include "solopo/model/work_count.hpp"
#include "tiny_llama.hpp"

namespace {

using namespace solopo;

PackedSequences sequence(std::size_t prompt, std::size_t response) {
  PackedSequences batch;
  batch.append(std::vector<std::int32_t>(prompt, 1), std::vector<std::int32_t>(response + 1, 1));
  return batch;
}
std::int64_t triangle(std::int64_t n) { return n * (n + 1) / 2; }

// SmolLM2-135M's: 14 operations a pair, 576 columns, 30 layers.
constexpr double smollm2 = 14.0 * 576 * 30;

TEST_CASE("a library is asked where a run's lengths make its plans worth it", "[cuda]") {
  cuda::LibraryUses uses;
  SECTION("lengths that repeat") {
    uses.add(sequence(8000, 192), 1000);
    uses.add(sequence(1000, 24), 1000);
    CHECK(uses.least(smollm2) == triangle(1024));
  }
  SECTION("lengths that repeat too seldom for a short sequence") {
    uses.add(sequence(8000, 192), 1000);
    uses.add(sequence(1000, 24), 10);
    CHECK(uses.least(smollm2) == triangle(8192));
  }
  SECTION("each length once") {
    for (std::size_t i = 0; i < 100; ++i) uses.add(sequence(4000 + i, 192), 1);
    CHECK(uses.least(smollm2) == cuda::never_library);
  }
  SECTION("each length once, but so long that a plan is soon paid for") {
    for (std::size_t i = 0; i < 100; ++i) uses.add(sequence(30000 + i, 192), 1);
    for (std::size_t i = 0; i < 100; ++i) uses.add(sequence(1000 + i, 192), 1);
    CHECK(uses.least(smollm2) == triangle(30192));
  }
  SECTION("nothing worth asking for") {
    uses.add(sequence(100, 10), 1e9);
    CHECK(uses.least(smollm2) == cuda::never_library);
  }
}

TEST_CASE("calls of the same queries are asked for together", "[cuda]") {
  PackedSequences batch;
  const std::vector<std::int32_t> prompt(2048, 1), first(512, 1), second(512, 1);
  const std::span<const std::int32_t> pair[] = {first, second};
  batch.append_shared(prompt, pair);
  cuda::LibraryUses uses;
  uses.add(batch, 1e6);
  // The prompt with the first response is one causal call; the second response sees prompt and itself.
  CHECK(uses.least(smollm2) == 511 * 2048 + triangle(511));
}

// Bytes of activations and workspace after a step: held, and by the cost model.
template <class T>
void check_memory(cuda::DeviceStorage storage, bool recompute, bool read) {
  test::HostQueue queue;
  LlamaConfig config = test::tiny_config(true, true);
  config.head_dim = 64;  // rows wide enough that what arrays are padded by does not weigh
  config.hidden_size = 64;
  config.intermediate_size = 128;
  const auto weights = test::random_weights<float>(config);
  const cuda::DeviceWeights<T, test::HostQueue> on_device(queue, weights);
  cuda::DeviceLlama<T, test::HostQueue> model(
      queue, on_device, {.recompute = recompute, .attention = cuda::AttentionKernels::plain});
  PackedSequences batch;
  const std::vector<std::int32_t> prompt(90, 1), response(8, 2);
  const std::span<const std::int32_t> one[] = {response};
  batch.append(prompt, response);
  if (read) batch.append_read(prompt, one);
  model.forward(batch);
  std::vector<float> gradients(weights.layout.size());
  model.backward(std::vector<float>(static_cast<std::size_t>(batch.responses), 1.0f), gradients.data());
  const cost::ModelShape shape = model_shape(config);
  const cost::Work work = work_of(batch);
  cost::MemoryOptions options = cuda::device_memory(shape, storage, recompute);
  options.read_rows_at_once = static_cast<cost::Count>(batch.read_tokens.size());
  const cost::MemoryBytes expected = cuda::device_training_memory(
      shape, work.tokens, work.head_rows, options, static_cast<cost::Count>(batch.read_tokens.size()));
  const double ratio = static_cast<double>(model.peak_bytes()) / static_cast<double>(expected.step());
  CAPTURE(recompute, read, model.peak_bytes(), expected.step());
  CHECK(ratio >= 0.85);
  CHECK(ratio <= 1.15);
}

TEST_CASE("a device holds what the cost model says", "[cuda]") {
  const bool recompute = GENERATE(false, true), read = GENERATE(false, true);
  check_memory<float>(cuda::DeviceStorage::float32, recompute, read);
  check_memory<BFloat16>(cuda::DeviceStorage::bfloat16, recompute, read);
}

}  // namespace
