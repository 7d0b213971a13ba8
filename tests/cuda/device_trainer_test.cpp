// The trainer over the device's code path, run by a host that plays the device, against the trainer on the
// CPU backend.
#include <cmath>
#include <memory>
#include <vector>
#include "../train/tiny_run.hpp"
#include "catch.hpp"

#include "host_device.hpp"
#include "solopo/cuda/queue_session.hpp"

namespace {

using namespace solopo;
using namespace solopo::test;

std::unique_ptr<cuda::DeviceSession> open_on_host(const LlamaWeights<float>& weights,
                                                  const LoraWeights<float>* lora,
                                                  cuda::SessionOptions options) {
  options.storage = cuda::DeviceStorage::float32;
  return cuda::make_session(std::make_unique<HostQueue>(), weights, lora, options);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
  return worst;
}

// Trains both ways: every step's loss within 1e-4, every trained number near the host's.
void check_like_the_host(TinyRun run) {
  Recorder host, device;
  const TinyOutcome expected = train_tiny(run, host);
  run.open = open_on_host;
  const TinyOutcome actual = train_tiny(run, device);
  REQUIRE(device.steps.size() == host.steps.size());
  for (std::size_t i = 0; i < host.steps.size(); ++i) {
    const auto loss = [&](const Recorder& r) { return r.steps[i].second.find("loss").value(); };
    CHECK(std::abs(loss(device) - loss(host)) <= 1e-4);
  }
  REQUIRE(device.evals.size() == host.evals.size());
  for (std::size_t i = 0; i < host.evals.size(); ++i) {
    const auto loss = [&](const Recorder& r) { return r.evals[i].second.find("eval_loss").value(); };
    CHECK(std::abs(loss(device) - loss(host)) <= 1e-4);
  }
  CHECK(distance(actual.weights, expected.weights) <= 1e-3);
  // and it has learned something
  run.open = nullptr;
  run.max_steps = 1;
  run.options.eval_every = 0;
  CHECK(distance(expected.weights, train_tiny(run, host).weights) > 1e-3);
}

TEST_CASE("the trainer trains a device's model as the host's", "[cuda]") {
  SECTION("SoLo-DPO, evaluated and clipped") {
    TinyRun run{.objective = "solopo:dpo", .records = 4, .batch_size = 2, .eval_records = 2, .epochs = 1};
    run.options.eval_every = 1;
    run.options.clip = 0.5;
    check_like_the_host(run);
  }
  SECTION("SoLo-ORPO in two passes") {
    TinyRun run{.objective = "solopo:orpo", .records = 4, .batch_size = 2, .epochs = 1};
    run.options.passes = Passes::short_side_first;
    check_like_the_host(run);
  }
  SECTION("SoLo-SimPO, the long prompt read without a gradient") {
    TinyRun run{.objective = "solopo:simpo", .records = 4, .batch_size = 2, .epochs = 1};
    run.options.long_gradient = LongGradient::response;
    run.options.full_gradient_every = 2;
    check_like_the_host(run);
  }
  SECTION("KTO, which couples the pairs of a batch") {
    check_like_the_host({.objective = "kto", .records = 4, .batch_size = 2, .epochs = 1});
  }
  SECTION("adapters, in two passes") {
    TinyRun run{
        .objective = "solopo:dpo", .records = 4, .batch_size = 2, .epochs = 1, .lora = LoraConfig{.rank = 3}};
    run.options.passes = Passes::short_side_first;
    check_like_the_host(run);
  }
  SECTION("a reference that follows the policy") {
    TinyRun run{.objective = "dpo", .records = 4, .batch_size = 2, .epochs = 1.5, .live = true};
    run.options.reference_update = {.every = 1, .mixup = 0.5};
    check_like_the_host(run);
  }
}

TEST_CASE("a run on a device, stopped and resumed, ends with the same bits", "[cuda]") {
  TinyRun run{.objective = "solopo:dpo", .records = 5, .batch_size = 2, .epochs = 2, .open = open_on_host};
  if (GENERATE(false, true)) {
    run.objective = "dpo";
    run.live = true;
    run.options.reference_update = {.every = 2, .mixup = 0.5};
  }
  Recorder whole, first, second;
  const TinyOutcome expected = train_tiny(run, whole);
  const TemporaryFolder folder;
  run.options.folder = folder.path();
  first.stop_after = 2;
  CHECK(train_tiny(run, first).result.interrupted);
  run.options.resume = true;
  const TinyOutcome resumed = train_tiny(run, second);
  CHECK(second.steps.front().first == 3);
  CHECK(resumed.weights == expected.weights);
  CHECK(lasting(second.steps.back().second) == lasting(whole.steps.back().second));
}

TEST_CASE("a device's bad numbers are named and nothing is updated", "[cuda]") {
  LlamaWeights<float> weights = tiny_weights();
  const auto session = open_on_host(weights, nullptr, {});
  DevicePolicy model(*session);
  DeviceLearner learner(*session, parameters_of(weights));
  const std::vector<PreferenceRecord> records = tiny_records(2);
  TrainerOptions options;
  options.length = run_length(2, 2, 1, 0);
  options.schedule = {.peak = 1e-2, .steps = 1};
  Recorder recorder;
  std::vector<float> bad(weights.data.begin(), weights.data.end());
  const TensorSlot& slot = weights.layout.slot("model.layers.1.mlp.gate_proj.weight");
  bad[slot.offset] = std::nanf("");
  session->set_values(bad);
  Trainer trainer(model, learner, make_objective("orpo"), {.records = records}, {}, options, recorder);
  CHECK_THROWS_WITH(trainer.run(), Catch::Contains("model.layers.1.mlp.gate_proj.weight") &&
                                       Catch::Contains("nothing was updated"));
}

TEST_CASE("what a session cannot do is said", "[cuda]") {
  const LlamaWeights<float> weights = tiny_weights();
  const auto session = open_on_host(weights, nullptr, {.trains = false});
  CHECK_THROWS_AS(session->zero_gradients(), ArgumentError);
  CHECK_THROWS_AS(session->gradient_norm(), ArgumentError);
  std::vector<float> few(3);
  CHECK_THROWS_AS(session->set_values(few), ArgumentError);
  CHECK_THROWS_AS(session->get_values(few), ArgumentError);
  HostQueue queue;
  cuda::DeviceWeights<BFloat16, HostQueue> frozen(queue, weights, true);
  std::vector<float> all(weights.data.size());
  CHECK_THROWS_AS(frozen.download(queue, all), ArgumentError);
  using Optimizer = cuda::DeviceAdamW<BFloat16, HostQueue>;
  CHECK_THROWS_AS(Optimizer(queue, frozen), ArgumentError);
  cuda::DeviceWeights<float, HostQueue> frozen_float(queue, weights, true);
  CHECK_THROWS_AS(frozen_float.download(queue, all), ArgumentError);
  const auto trains = open_on_host(weights, nullptr, {});
  CHECK_THROWS_AS(trains->get_gradients(few), ArgumentError);
  CHECK_THROWS_AS(trains->set_moments(few, few, 1), ArgumentError);
  PackedSequences batch;
  batch.append(std::vector<std::int32_t>{1, 2}, std::vector<std::int32_t>{3});
  CHECK_THROWS_AS(session->response_logps(batch, Statistic::sequential_kl), ArgumentError);
}

}  // namespace
