// A small but real run: a two-layer model, random records, and an observer that remembers.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/model/llama.hpp"
#include "solopo/objectives/registry.hpp"
#include "solopo/train/device_learner.hpp"
#include "solopo/train/trainer.hpp"
#include "tiny_llama.hpp"

namespace solopo::test {

// A folder that is gone when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "solopo_train_XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error("no temporary folder");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline LlamaWeights<float> tiny_weights(std::uint64_t seed = 1) {
  return random_weights<float>(tiny_config(true), seed);
}

inline std::vector<std::int32_t> tiny_ids(RandomStream& random, std::size_t size) {
  std::vector<std::int32_t> ids(size);
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.below(50));
  return ids;
}

inline std::vector<PreferenceRecord> tiny_records(std::size_t count, std::uint64_t seed = 5) {
  std::vector<PreferenceRecord> records;
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream random(seed, "record", i);
    PreferenceRecord record{.id = std::string("r").append(std::to_string(i)),
                            .prompt = tiny_ids(random, 3 + random.below(5)),
                            .prompt_long = tiny_ids(random, 12 + random.below(9)),
                            .chosen = tiny_ids(random, 1 + random.below(4)),
                            .rejected = tiny_ids(random, 2 + random.below(4)),
                            .third = tiny_ids(random, 1 + random.below(4)),
                            .score_chosen = 2 + static_cast<float>(i % 3),
                            .score_rejected = 1,
                            .label = i % 2 == 0 ? 1.0f : 0.0f,
                            .sampled_from = SampledFrom::short_prompt,
                            .gold_chosen = false};
    records.push_back(std::move(record));
  }
  return records;
}

// Remembers what the trainer told; can ask it to stop after a step.
struct Recorder : TrainObserver {
  std::vector<std::pair<std::int64_t, Metrics>> steps, evals;
  std::vector<std::int64_t> saves;
  std::vector<std::string> warnings;
  std::int64_t stop_after = -1;
  std::atomic<int> stop{0};

  void on_step(std::int64_t step, const Metrics& metrics) override {
    steps.emplace_back(step, metrics);
    if (step == stop_after) stop = 2;
  }
  void on_eval(std::int64_t step, const Metrics& metrics) override { evals.emplace_back(step, metrics); }
  void on_save(std::int64_t step, const std::filesystem::path&) override { saves.push_back(step); }
  void on_warning(const std::string& message) override { warnings.push_back(message); }
};

// What a test varies.
struct TinyRun {
  std::string objective = "solopo:orpo";
  std::size_t records = 7, batch_size = 3, eval_records = 0;
  double epochs = 2;
  std::int64_t max_steps = 0;
  TrainerOptions options{};
  std::uint64_t weights_seed = 1;
  std::optional<LoraConfig> lora{};  // adapters are trained, the weights are frozen
  bool live =
      false;  // the reference is a model that runs in training; where distributions are compared always
  // Set: model and optimiser are a session's.
  std::function<std::unique_ptr<cuda::DeviceSession>(const LlamaWeights<float>&, const LoraWeights<float>*,
                                                     const cuda::SessionOptions&)>
      open{};
};

// What was trained, after the run, the model's weights, and what the trainer returned.
struct TinyOutcome {
  std::vector<float> weights, base;
  TrainResult result;
};

inline TinyOutcome train_tiny(const TinyRun& run, Recorder& recorder) {
  LlamaWeights<float> weights = tiny_weights(run.weights_seed);
  std::optional<LoraWeights<float>> lora;
  if (run.lora) lora = initial_lora<float>(weights.config, *run.lora, run.weights_seed);
  const Parameters trained = lora ? parameters_of(*lora) : parameters_of(weights);
  const AnyObjective objective = make_objective(run.objective);
  const std::vector<PreferenceRecord> records = tiny_records(run.records);
  const std::vector<PreferenceRecord> held_out = tiny_records(run.eval_records, 77);
  TrainerOptions options = run.options;
  options.batch_size = run.batch_size;
  options.length = run_length(run.records, run.batch_size, run.epochs, run.max_steps);
  options.schedule.steps = options.length.steps;
  options.schedule.peak = 1e-2;
  options.schedule.warmup_steps = 1;
  options.stop = &recorder.stop;
  const bool asks_live = run.live || objective.statistic() == Statistic::sequential_kl;

  const auto train = [&](auto& model, auto& trains, std::unique_ptr<LiveReference> live) {
    const CollateOptions layout = collate_options(objective, run.options.context, run.options.share_prefix,
                                                  run.options.long_gradient, run.options.passes);
    const auto reference = compute_reference(model, records, layout);
    const auto eval_reference = compute_reference(model, held_out, layout);
    LiveReference* const asked = live.get();
    Trainer trainer(model, trains, objective, {.records = records, .reference = &*reference, .live = asked},
                    {.records = held_out, .reference = &*eval_reference, .live = asked}, options, recorder);
    return trainer.run();
  };
  TinyOutcome out;
  if (run.open) {
    const auto session = run.open(weights, lora ? &*lora : nullptr, {.adamw = options.adamw});
    DevicePolicy model(*session);
    DeviceLearner learner(*session, trained, options.adamw);
    LlamaWeights<float> reference_weights = weights;
    const auto reference = asks_live ? run.open(reference_weights, nullptr, {.trains = false}) : nullptr;
    std::unique_ptr<LiveReference> live;
    if (reference) live = std::make_unique<DeviceReference>(*reference, reference_weights);
    out.result = train(model, learner, std::move(live));
    learner.fetch();
  } else {
    Llama<float> model = lora ? Llama<float>(weights, *lora) : Llama<float>(weights);
    std::unique_ptr<LiveReference> live;
    if (asks_live && lora) live = std::make_unique<BaseReference<>>(weights);
    if (asks_live && !lora) live = std::make_unique<LlamaReference<>>(weights);
    out.result = train(model, trained, std::move(live));
  }
  out.weights.assign(trained.values.begin(), trained.values.end());
  out.base.assign(weights.data.begin(), weights.data.end());
  return out;
}

// The metrics that do not depend on the clock or on the process.
inline std::vector<Metrics::Entry> lasting(const Metrics& metrics) {
  std::vector<Metrics::Entry> out;
  for (const Metrics::Entry& entry : metrics.entries()) {
    if (entry.first != "seconds" && entry.first != "tokens_per_second" &&
        entry.first != "peak_memory_bytes") {
      out.push_back(entry);
    }
  }
  return out;
}

}  // namespace solopo::test
