#include "solopo/train/trainer.hpp"

#include <cmath>
#include <limits>
#include <set>

#include "catch.hpp"
#include "solopo/model/model_cost.hpp"
#include "tiny_run.hpp"

using namespace solopo;
using namespace solopo::test;

TEST_CASE("Training lowers the loss of every objective on records it repeats") {
  for (const char* name : {"dpo",         "simpo",      "orpo",
                           "sft",         "solopo:dpo", "solopo:simpo",
                           "solopo:orpo", "kto",        "apo-zero-unpaired",
                           "aot",         "alpha-dpo",  "beta-dpo",
                           "odpo",        "tpo",        "logo",
                           "ld-dpo",      "solopo:kto", "solopo:ld-dpo",
                           "wpo",         "tdpo1",      "tdpo2",
                           "longpo",      "solopo:wpo", "solopo:tdpo1"}) {
    Recorder recorder;
    TinyRun run{.objective = name, .records = 4, .batch_size = 4, .max_steps = 12};
    train_tiny(run, recorder);
    INFO(name);
    CHECK(*recorder.steps.back().second.find("loss") < *recorder.steps.front().second.find("loss"));
  }
}

TEST_CASE("The SoLo-DPO gap at step 0 is exactly 0 with and without prefix sharing") {
  for (const bool share : {true, false}) {
    Recorder recorder;
    TinyRun run{.objective = "solopo:dpo", .max_steps = 1};
    run.options.share_prefix = share;
    train_tiny(run, recorder);
    CHECK(*recorder.steps[0].second.find("solo_ra/gap") == 0.0);
    CHECK(*recorder.steps[0].second.find("solo_ra/loss") == 0.0);
    CHECK(*recorder.steps[0].second.find("rewards/margins") == 0.0);
    CHECK(*recorder.steps[0].second.find("loss") == Approx(std::log(2.0)).epsilon(1e-6));
  }
}

TEST_CASE(
    "A step does not depend on how its batch is accumulated but for rounding, and not at all on being run "
    "twice") {
  Recorder first, second;
  TinyRun run{.max_steps = 3};
  CHECK(train_tiny(run, first).weights == train_tiny(run, second).weights);
  for (std::size_t i = 0; i < first.steps.size(); ++i) {
    CHECK(lasting(first.steps[i].second) == lasting(second.steps[i].second));
  }
}

TEST_CASE("The gradient of a step is that of the mean loss over its records") {
  // Central difference of the mean loss along a random direction, against one accumulated gradient.
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const AnyObjective objective = make_objective("solopo:simpo");
  const std::vector<PreferenceRecord> records = tiny_records(4);
  const TrainData data{.records = records, .reference = nullptr};
  const CollateOptions layout{.needs = objective.needs()};
  std::vector<float> gradient(weights.data.size()), direction(weights.data.size());
  RandomStream random(3, "direction");
  for (const TensorSlot& slot : weights.layout.slots()) {
    for (std::size_t i = 0; i < slot.size; ++i)
      direction[slot.offset + i] = static_cast<float>(random.normal());
  }
  const std::vector<std::size_t> batch = {0, 1, 2, 3};
  NamedState state;
  accumulate_batch(model, objective, state, data, batch, layout, gradient, [](std::size_t) {});
  const auto mean_loss = [&](float h) {
    const auto before = weights.data;
    for (std::size_t i = 0; i < direction.size(); ++i) weights.data[i] += h * direction[i];
    const double loss = evaluate_batch(model, objective, state, data, batch, layout).metrics.loss;
    weights.data = before;
    return loss;
  };
  double slope = 0;
  for (std::size_t i = 0; i < direction.size(); ++i) slope += static_cast<double>(gradient[i]) * direction[i];
  const float h = 1e-3f;
  CHECK((mean_loss(h) - mean_loss(-h)) / (2 * h) == Approx(slope).epsilon(5e-3));
}

TEST_CASE("The gradient of a step of a coupled objective is that of its loss at the state it has reached") {
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const AnyObjective objective = make_objective("bco", {{"beta", 0.5f}});
  const std::vector<PreferenceRecord> records = tiny_records(4);
  const CollateOptions layout{.needs = objective.needs()};
  ReferenceLogps reference = *compute_reference(model, records, layout);
  for (float& logp : reference.roles[0]) logp += 0.3f * logp;  // rewards that differ from record to record
  const TrainData data{.records = records, .reference = &reference};
  const std::vector<std::size_t> batch = {0, 1, 2, 3};
  std::vector<float> gradient(weights.data.size());
  NamedState state = objective.initial_state();
  std::size_t seen = 0;
  const BatchPass pass = accumulate_batch(model, objective, state, data, batch, layout, gradient,
                                          [&](std::size_t i) { seen += i == seen; });
  CHECK(seen == 4);
  CHECK(state[1] == std::pair<std::string, double>{"count", 4});
  CHECK(std::abs(state[0].second) > 0.1);
  CHECK(evaluate_batch(model, objective, state, data, batch, layout).metrics.loss == pass.metrics.loss);
  CHECK(evaluate_batch(model, objective, objective.initial_state(), data, batch, layout).metrics.loss !=
        pass.metrics.loss);
  // Along the gradient the loss at that state must change by its squared norm.
  double norm = 0;
  for (const float g : gradient) norm += static_cast<double>(g) * static_cast<double>(g);
  const auto loss_at = [&](float h) {
    const auto before = weights.data;
    for (std::size_t i = 0; i < gradient.size(); ++i) weights.data[i] += h * gradient[i];
    const double loss = evaluate_batch(model, objective, state, data, batch, layout).metrics.loss;
    weights.data = before;
    return loss;
  };
  const auto h = static_cast<float>(1e-2 / std::sqrt(norm));
  CHECK((loss_at(h) - loss_at(-h)) / (2 * h) == Approx(norm).epsilon(1e-2));
}

TEST_CASE("A live reference is asked once for a record, also where the objective couples a batch") {
  struct Asked final : LiveReference {
    std::size_t times = 0;
    RecordReference score(const PreferenceRecord&, const CollateOptions&) override {
      ++times;
      return {.logps = {-9, -8}};
    }
    [[nodiscard]] kernels::HeadRows<float> head_rows() const override { return {}; }
    [[nodiscard]] Parameters parameters() override { return {}; }
  };
  const std::vector<PreferenceRecord> records = tiny_records(4);
  const std::vector<std::size_t> batch = {0, 1, 2, 3};
  for (const char* name : {"dpo", "aot"}) {
    CAPTURE(name);
    LlamaWeights<float> weights = tiny_weights();
    Llama<float> model(weights);
    Asked live;
    const AnyObjective objective = make_objective(name);
    std::vector<float> gradient(weights.data.size());
    NamedState state = objective.initial_state();
    const TrainData data{.records = records, .reference = nullptr, .live = &live};
    accumulate_batch(model, objective, state, data, batch, {.needs = objective.needs()}, gradient,
                     [](std::size_t) {});
    CHECK(live.times == 4);
  }
}

TEST_CASE("The gradient through heads and tails of responses is that of the loss") {
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const AnyObjective objective = make_objective("ld-dpo", {{"beta", 0.5f}, {"ld_alpha", 0.25f}});
  const std::vector<PreferenceRecord> records = tiny_records(4);
  const CollateOptions layout{.needs = objective.needs(), .statistic = objective.statistic()};
  ReferenceLogps reference = *compute_reference(model, records, layout);
  REQUIRE(reference.statistics[1].size() == 4);
  bool split = false;
  for (std::size_t i = 0; i < 4; ++i) split = split || reference.statistics[1][i] != reference.roles[1][i];
  CHECK(split);
  const TrainData data{.records = records, .reference = &reference};
  const std::vector<std::size_t> batch = {0, 1, 2, 3};
  std::vector<float> gradient(weights.data.size());
  NamedState state;
  accumulate_batch(model, objective, state, data, batch, layout, gradient, [](std::size_t) {});
  double norm = 0;
  for (const float g : gradient) norm += static_cast<double>(g) * static_cast<double>(g);
  const auto loss_at = [&](float h) {
    const auto before = weights.data;
    for (std::size_t i = 0; i < gradient.size(); ++i) weights.data[i] += h * gradient[i];
    const double loss = evaluate_batch(model, objective, state, data, batch, layout).metrics.loss;
    weights.data = before;
    return loss;
  };
  const auto h = static_cast<float>(1e-2 / std::sqrt(norm));
  CHECK((loss_at(h) - loss_at(-h)) / (2 * h) == Approx(norm).epsilon(1e-2));
}

TEST_CASE("Records with one response log it as chosen or rejected, by its label") {
  Recorder recorder;
  TinyRun run{.objective = "kto", .records = 4, .batch_size = 4, .max_steps = 1};
  train_tiny(run, recorder);
  const Metrics& m = recorder.steps.front().second;
  CHECK(m.find("rewards/chosen").has_value());
  CHECK(m.find("rewards/rejected").has_value());
  CHECK(m.find("rewards/margins").has_value());
  CHECK_FALSE(m.find("rewards/accuracies").has_value());
}

TEST_CASE("A step crosses the edge of an epoch, and the last one takes what is left") {
  Recorder recorder;
  TinyRun run{.records = 7, .batch_size = 3, .epochs = 2};
  CHECK(train_tiny(run, recorder).result.steps == 5);
  CHECK(*recorder.steps[2].second.find("epoch") == Approx(9.0 / 7));
  CHECK(*recorder.steps[4].second.find("epoch") == 2.0);
}

TEST_CASE("Interrupted after any step and resumed, training ends with the bits of an uninterrupted run") {
  for (const char* objective : {"solopo:dpo", "solopo:orpo", "solopo:bco", "beta-dpo", "solopo:simpo"}) {
    TinyRun run{.objective = objective, .records = 7, .batch_size = 3, .eval_records = 3, .epochs = 3};
    if (run.objective == "solopo:simpo") {
      run.options.long_gradient = LongGradient::response;
      run.options.full_gradient_every = 3;
      run.options.passes = Passes::short_side_first;
    }
    run.options.eval_every = 2;
    run.options.save_every = 3;
    Recorder whole;
    TemporaryFolder whole_folder;
    run.options.folder = whole_folder.path();
    const TinyOutcome expected = train_tiny(run, whole);
    REQUIRE(expected.result.steps == 7);
    for (std::int64_t stop = 0; stop <= 7; ++stop) {
      INFO(objective << ", stopped after step " << stop);
      TemporaryFolder folder;
      TinyRun part = run;
      part.options.folder = folder.path();
      Recorder first, second;
      if (stop == 0) first.stop = 15;
      first.stop_after = stop;
      const TinyOutcome stopped = train_tiny(part, first);
      CHECK(stopped.result.interrupted == (stop < 7));
      CHECK(stopped.result.steps == stop);
      part.options.resume = true;
      const TinyOutcome resumed = train_tiny(part, second);
      CHECK(resumed.weights == expected.weights);
      CHECK(resumed.result.best_step == expected.result.best_step);
      REQUIRE(first.steps.size() + second.steps.size() == whole.steps.size());
      for (std::size_t i = 0; i < whole.steps.size(); ++i) {
        const auto n = static_cast<std::size_t>(stop);
        const auto& [step, metrics] = i < n ? first.steps[i] : second.steps[i - n];
        CHECK(step == whole.steps[i].first);
        CHECK(lasting(metrics) == lasting(whole.steps[i].second));
      }
    }
  }
}

TEST_CASE("Resuming a finished run does nothing and gives its weights") {
  TemporaryFolder folder;
  TinyRun run{.max_steps = 2};
  run.options.folder = folder.path();
  Recorder first, second;
  const TinyOutcome done = train_tiny(run, first);
  run.options.resume = true;
  const TinyOutcome again = train_tiny(run, second);
  CHECK(again.weights == done.weights);
  CHECK(second.steps.empty());
}

TEST_CASE("Resume refuses other settings and lists each of them") {
  TemporaryFolder folder;
  TinyRun run{.max_steps = 4};
  run.options.folder = folder.path();
  run.options.identity = {{"beta", "0.1"}};
  Recorder recorder;
  train_tiny(run, recorder);
  run.options.resume = true;

  TinyRun other = run;
  other.options.seed = 9;
  other.options.identity = {{"beta", "0.2"}};
  other.max_steps = 6;
  try {
    train_tiny(other, recorder);
    FAIL("was accepted");
  } catch (const ResumeError& error) {
    REQUIRE(error.differences().size() == 4);
    CHECK(error.differences()[0] == "seed: was 0, is 9 (can never change)");
    CHECK(error.differences()[1] == "steps: was 4, is 6");
    CHECK(error.differences()[3] == "beta: was 0.1, is 0.2");
  }
  SECTION("a setting named in allow_change may differ") {
    other.options.seed = 0;
    other.options.allow_change = {"steps", "places", "beta"};
    Recorder longer;
    CHECK(train_tiny(other, longer).result.steps == 6);
    CHECK(longer.steps.size() == 2);
  }
  SECTION("the seed may not, even when named") {
    other.options.allow_change = {"steps", "places", "beta", "seed"};
    CHECK_THROWS_AS(train_tiny(other, recorder), ResumeError);
  }
  SECTION("another data file is seen") {
    TinyRun data = run;
    data.records = 8;
    CHECK_THROWS_AS(train_tiny(data, recorder), ResumeError);
  }
}

TEST_CASE("A folder with checkpoints is not trained into without resume") {
  TemporaryFolder folder;
  TinyRun run{.max_steps = 1};
  run.options.folder = folder.path();
  Recorder recorder;
  train_tiny(run, recorder);
  CHECK_THROWS_AS(train_tiny(run, recorder), Error);
}

TEST_CASE("Checkpoints but the newest and the best are removed") {
  TemporaryFolder folder;
  TinyRun run{.eval_records = 4, .max_steps = 9};
  run.options.folder = folder.path();
  run.options.eval_every = 3;
  run.options.save_every = 1;
  run.options.keep_last = 2;
  Recorder recorder;
  const TinyOutcome out = train_tiny(run, recorder);
  std::set<std::int64_t> expected = {8, 9, out.result.best_step};
  const std::vector<std::int64_t> left = list_checkpoints(folder.path());
  CHECK(std::set<std::int64_t>(left.begin(), left.end()) == expected);
  double best = 1e9;
  std::int64_t best_step = 0;
  for (const auto& [step, metrics] : recorder.evals) {
    if (*metrics.find("eval_loss") < best) {
      best = *metrics.find("eval_loss");
      best_step = step;
    }
  }
  CHECK(best_step == out.result.best_step);
  CHECK(read_manifest(folder.path() / ("checkpoint-" + std::to_string(best_step))).state.best_step ==
        best_step);
}

TEST_CASE("A weight that is not a number stops training before any update and is named") {
  LlamaWeights<float> weights = tiny_weights();
  weights.tensor("model.layers.1.mlp.down_proj.weight")[3] = std::numeric_limits<float>::quiet_NaN();
  const auto before = weights.data;
  Llama<float> model(weights);
  const std::vector<PreferenceRecord> records = tiny_records(4);
  TrainerOptions options;
  options.length = run_length(4, 4, 1, 0);
  Recorder recorder;
  Trainer trainer(model, parameters_of(weights), make_objective("orpo"), {.records = records}, {}, options,
                  recorder);
  try {
    trainer.run();
    FAIL("was trained");
  } catch (const NonFiniteError& error) {
    const std::string what = error.what();
    INFO(what);
    CHECK(what.find("step 1:") != std::string::npos);
    CHECK(what.find("weights of model.layers.1.mlp.down_proj.weight") != std::string::npos);
    for (const PreferenceRecord& record : records) CHECK(what.find(record.id) != std::string::npos);
  }
  CHECK(std::memcmp(before.data(), weights.data.data(), before.size() * sizeof(float)) == 0);
  CHECK(trainer.state().step == 0);
}

namespace {

// A model whose gradient of one weight is not finite from some backward pass on.
struct OverflowingModel {
  Llama<float> inner;
  std::size_t at = 0;
  int passes = 0;
  using Statistic = kernels::RowStatistic<float>;
  std::vector<float> response_logps(const PackedSequences& s, const Statistic& q) {
    return inner.response_logps(s, q);
  }
  std::vector<float> forward(const PackedSequences& s, const Statistic& q) { return inner.forward(s, q); }
  [[nodiscard]] std::span<const float> statistics() const { return inner.statistics(); }
  void backward(std::span<const float> d, std::span<float> g, std::span<const float> e) {
    inner.backward(d, g, e);
    if (++passes == 6) g[at] = std::numeric_limits<float>::infinity();
  }
};

}  // namespace

TEST_CASE("A gradient that is not finite stops training at that step with the weights of the step before") {
  LlamaWeights<float> weights = tiny_weights();
  OverflowingModel model{.inner = Llama<float>(weights)};
  model.at = weights.layout.slot("model.norm.weight").offset;
  const std::vector<PreferenceRecord> records = tiny_records(4);
  TrainerOptions options;
  options.length = run_length(4, 4, 2, 0);
  Recorder recorder;
  LlamaWeights<float> one_step = tiny_weights();
  {
    Llama<float> plain(one_step);
    TrainerOptions short_options = options;
    short_options.length = {1, 8};
    Trainer(plain, parameters_of(one_step), make_objective("orpo"), {.records = records}, {}, short_options,
            recorder)
        .run();
  }
  Trainer trainer(model, parameters_of(weights), make_objective("orpo"), {.records = records}, {}, options,
                  recorder);
  CHECK_THROWS_WITH(trainer.run(), Catch::Contains("step 2: the gradient's norm is inf") &&
                                       Catch::Contains("gradient of model.norm.weight"));
  CHECK(weights.data == one_step.data);
}

TEST_CASE("A learning rate that is not a number stops training before any update") {
  LlamaWeights<float> weights = tiny_weights();
  const auto before = weights.data;
  Llama<float> model(weights);
  const std::vector<PreferenceRecord> records = tiny_records(2);
  TrainerOptions options;
  options.length = run_length(2, 2, 1, 0);
  options.schedule.peak = std::numeric_limits<double>::quiet_NaN();
  Recorder recorder;
  Trainer trainer(model, parameters_of(weights), make_objective("orpo"), {.records = records}, {}, options,
                  recorder);
  CHECK_THROWS_WITH(trainer.run(), Catch::Contains("step 1: the learning rate is nan"));
  CHECK(weights.data == before);
}

TEST_CASE("An objective that needs a reference is refused without one") {
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const std::vector<PreferenceRecord> records = tiny_records(2);
  TrainerOptions options;
  options.length = run_length(2, 2, 1, 0);
  Recorder recorder;
  CHECK_THROWS_AS(Trainer(model, parameters_of(weights), make_objective("dpo"), {.records = records}, {},
                          options, recorder),
                  ArgumentError);
  ReferenceLogps reference;
  for (const unsigned role : {0, 1}) reference.roles[role] = {-5, -6};
  CHECK_THROWS_WITH(Trainer(model, parameters_of(weights), make_objective("ld-dpo"),
                            {.records = records, .reference = &reference}, {}, options, recorder),
                    Catch::Contains("no reference statistics of chosen"));
}

TEST_CASE("The gradient through statistics and scored prompts is that of the loss") {
  for (const char* name : {"tdpo1", "longpo"}) {
    CAPTURE(name);
    LlamaWeights<float> weights = tiny_weights();
    Llama<float> model(weights);
    LlamaReference<> live(tiny_weights(9));
    const AnyObjective objective = make_objective(name, {{"beta", 0.5f}});
    const std::vector<PreferenceRecord> records = tiny_records(4);
    const TrainContext context =
        find_objective(name).policy_long_reference_short ? TrainContext::longpo : TrainContext::short_prompt;
    const CollateOptions layout = collate_options(objective, context);
    const TrainData data{.records = records, .reference = nullptr, .live = &live};
    const std::vector<std::size_t> batch = {0, 1, 2, 3};
    std::vector<float> gradient(weights.data.size());
    NamedState state;
    accumulate_batch(model, objective, state, data, batch, layout, gradient, [](std::size_t) {});
    double norm = 0;
    for (const float g : gradient) norm += static_cast<double>(g) * static_cast<double>(g);
    const auto loss_at = [&](float h) {
      const auto before = weights.data;
      for (std::size_t i = 0; i < gradient.size(); ++i) weights.data[i] += h * gradient[i];
      const double loss = evaluate_batch(model, objective, state, data, batch, layout).metrics.loss;
      weights.data = before;
      return loss;
    };
    const auto h = static_cast<float>(1e-2 / std::sqrt(norm));
    CHECK((loss_at(h) - loss_at(-h)) / (2 * h) == Approx(norm).epsilon(1e-2));
  }
}

TEST_CASE("At step 0 a live reference gives TDPO and WPO the loss of DPO, and no divergence") {
  for (const char* name : {"tdpo1", "tdpo2", "solopo:tdpo1"}) {
    CAPTURE(name);
    Recorder recorder;
    TinyRun run{.objective = name, .max_steps = 1};
    train_tiny(run, recorder);
    CHECK(*recorder.steps[0].second.find("loss") == Approx(std::log(2.0)).epsilon(1e-6));
    CHECK(*recorder.steps[0].second.find("rewards/margins") == 0.0);
  }
}

TEST_CASE("A live reference that never moves is the cached one, bit for bit") {
  Recorder cached, live;
  TinyRun run{.objective = "solopo:dpo", .max_steps = 5};
  const auto expected = train_tiny(run, cached).weights;
  run.live = true;
  CHECK(train_tiny(run, live).weights == expected);
  run.options.reference_update.every = 2;
  Recorder moved;
  CHECK(train_tiny(run, moved).weights != expected);
}

TEST_CASE("A reference that follows the policy all the way is the policy right after its update") {
  Recorder recorder;
  TinyRun run{.objective = "dpo", .max_steps = 4};
  run.live = true;
  run.options.reference_update = {.every = 2, .mixup = 1};
  train_tiny(run, recorder);
  CHECK(*recorder.steps[0].second.find("rewards/margins") == 0.0);
  CHECK(*recorder.steps[1].second.find("rewards/margins") != 0.0);
  CHECK(*recorder.steps[2].second.find("rewards/margins") == 0.0);  // after the update of step 2
  CHECK(*recorder.steps[3].second.find("rewards/margins") != 0.0);
}

TEST_CASE("An evaluation is against the reference of the steps before it") {
  Recorder recorder;
  TinyRun run{.objective = "dpo", .eval_records = 3, .max_steps = 4};
  run.live = true;
  run.options.eval_every = 2;
  run.options.reference_update = {.every = 2, .mixup = 1};
  train_tiny(run, recorder);
  REQUIRE(recorder.evals.size() == 2);
  for (const auto& [step, metrics] : recorder.evals) CHECK(*metrics.find("eval_rewards/margins") != 0.0);
}

TEST_CASE("A reference moves by its share towards the policy") {
  std::vector<float> reference = {1, -2, 0}, policy = {3, 2, 0.5f};
  update_reference({.values = reference, .slots = {}}, {.values = policy, .slots = {}}, 0.25);
  CHECK(reference == std::vector<float>{1.5f, -1, 0.125f});
}

TEST_CASE("A run whose reference follows the policy resumes to the same bits") {
  TinyRun run{.objective = "solopo:dpo", .max_steps = 7};
  run.live = true;
  run.options.reference_update = {.every = 2, .mixup = 0.6};
  Recorder whole;
  const auto expected = train_tiny(run, whole).weights;
  for (const std::int64_t stop : {1, 3, 4}) {
    TemporaryFolder folder;
    run.options.folder = folder.path();
    run.options.resume = true;
    Recorder first, second;
    first.stop_after = stop;
    CHECK(train_tiny(run, first).result.interrupted);
    CHECK(train_tiny(run, second).weights == expected);
    CHECK(std::filesystem::exists(folder.path() / "checkpoint-7" / "reference.safetensors"));
  }
  TemporaryFolder folder;
  run.options.folder = folder.path();
  Recorder first, second;
  first.stop_after = 3;
  train_tiny(run, first);
  run.options.reference_update.every = 3;
  CHECK_THROWS_WITH(train_tiny(run, second), Catch::Contains("ref_model_sync_steps"));
}

TEST_CASE("A reference cannot follow where there is none, or none that is live, or by a share out of range") {
  Recorder recorder;
  TinyRun run{.objective = "dpo", .max_steps = 1};
  run.options.reference_update.every = 1;
  CHECK_THROWS_WITH(train_tiny(run, recorder), Catch::Contains("needs a live reference"));
  run.live = true;
  run.options.reference_update.mixup = 1.5;
  CHECK_THROWS_WITH(train_tiny(run, recorder), Catch::Contains("reference_update.mixup"));
  run.options.reference_update.mixup = 0.5;
  run.objective = "orpo";
  CHECK_THROWS_WITH(train_tiny(run, recorder), Catch::Contains("orpo reads no reference"));
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const std::vector<PreferenceRecord> records = tiny_records(2);
  TrainerOptions options;
  options.length = run_length(2, 2, 1, 0);
  CHECK_THROWS_WITH(Trainer(model, parameters_of(weights), make_objective("tdpo1"), {.records = records}, {},
                            options, recorder),
                    Catch::Contains("tdpo1 compares with"));
}

TEST_CASE("LongPO trains on the long prompt against a reference on the short one") {
  Recorder recorder;
  TinyRun run{.objective = "longpo", .max_steps = 1};
  run.options.context = TrainContext::longpo;
  train_tiny(run, recorder);
  Recorder same;
  run.options.context = TrainContext::long_prompt;
  train_tiny(run, same);
  // Against the same prompt an untrained policy has margin 0; against the short prompt it has not.
  CHECK(*same.steps[0].second.find("rewards/margins") == 0.0);
  CHECK(*recorder.steps[0].second.find("rewards/margins") != 0.0);
  CHECK(*recorder.steps[0].second.find("logps/chosen") == *same.steps[0].second.find("logps/chosen"));
}

TEST_CASE(
    "A response-only gradient closes the gap too, begins with the full one's loss, and trains otherwise") {
  Recorder full, response;
  TinyRun run{.objective = "solopo:dpo", .records = 4, .batch_size = 4, .max_steps = 12};
  const TinyOutcome a = train_tiny(run, full);
  run.options.long_gradient = LongGradient::response;
  const TinyOutcome b = train_tiny(run, response);
  const auto loss = [](const Recorder& recorder, std::size_t step) {
    return *recorder.steps[step].second.find("loss");
  };
  CHECK(loss(response, 0) == Approx(loss(full, 0)).epsilon(1e-6));
  CHECK(*response.steps[0].second.find("num_tokens") == *full.steps[0].second.find("num_tokens"));
  CHECK(*response.steps[0].second.find("solo_ra/gap") == 0.0);
  CHECK(loss(response, 11) < loss(response, 0));
  CHECK(a.weights != b.weights);
}

TEST_CASE("A response-only gradient whose every step is full is the full one, bit for bit") {
  TinyRun run{.objective = "solopo:simpo", .max_steps = 4};
  Recorder full, response, every;
  const TinyOutcome expected = train_tiny(run, full);
  run.options.long_gradient = LongGradient::response;
  CHECK(train_tiny(run, response).weights != expected.weights);
  run.options.full_gradient_every = 1;
  CHECK(train_tiny(run, every).weights == expected.weights);
}

TEST_CASE("A response-only gradient needs an objective with a long side") {
  Recorder recorder;
  TinyRun run{.objective = "dpo", .max_steps = 1};
  run.options.long_gradient = LongGradient::response;
  CHECK_THROWS_WITH(train_tiny(run, recorder),
                    Catch::Contains("long_gradient: response needs") && Catch::Contains("dpo has not"));
}

TEST_CASE("Two passes train as one does but for rounding, and hold the rows of one side") {
  for (const char* objective : {"solopo:simpo", "solopo:dpo", "solopo:wpo", "solopo:ld-dpo", "solopo:kto"}) {
    INFO(objective);
    Recorder one, two;
    TinyRun run{.objective = objective, .max_steps = 1};
    train_tiny(run, one);
    run.options.passes = Passes::short_side_first;
    train_tiny(run, two);
    for (const char* name : {"loss", "grad_norm", "solo_ra/loss", "num_tokens"})
      CHECK(*two.steps[0].second.find(name) ==
            Approx(*one.steps[0].second.find(name)).epsilon(1e-5).margin(1e-6));
  }
  Recorder recorder;
  TinyRun run{.objective = "solopo:dpo", .max_steps = 1};
  run.options.passes = Passes::short_side_first;
  train_tiny(run, recorder);
  CHECK(*recorder.steps[0].second.find("solo_ra/gap") == 0.0);
}

TEST_CASE("The work of two passes is that of the cost model, with and without a response-only gradient") {
  LlamaWeights<float> weights = tiny_weights();
  const std::vector<PreferenceRecord> records = tiny_records(1);
  const PreferenceRecord& r = records[0];
  const AnyObjective objective = make_objective("solopo:simpo");
  const auto size = [](const std::vector<std::int32_t>& ids) { return static_cast<cost::Count>(ids.size()); };
  const cost::RecordLengths lengths{size(r.prompt), size(r.prompt_long), size(r.chosen), size(r.rejected)};
  for (const LongGradient gradient : {LongGradient::full, LongGradient::response}) {
    CollateOptions layout = collate_options(objective);
    layout.passes = Passes::short_side_first;
    layout.long_gradient = gradient;
    Llama<float> model(weights);
    std::vector<float> gradients(weights.layout.size());
    const TrainData data{.records = records};
    backpropagate_pair(model, data, 0, layout, 1.0f, 1.0f, gradients,
                       [&](const Pair<float>& p) { return objective(p); });
    const cost::RecordWork work = llama_work(lengths, {.sides = cost::Sides::solopo,
                                                       .share_prefix = true,
                                                       .long_gradient = gradient,
                                                       .passes = Passes::short_side_first});
    CHECK(model.work().forward == work.differentiated + work.read);
    CHECK(model.work().backward == work.differentiated);
    CHECK(work.peak_tokens < work.differentiated.tokens);
  }
}

TEST_CASE("Two passes are refused where there is one side, or a reference that compares on all of it") {
  Recorder recorder;
  for (const auto& [objective, what] :
       {std::pair("dpo", "dpo has not"), std::pair("solopo:tdpo1", "compares")}) {
    TinyRun run{.objective = objective, .max_steps = 1};
    run.options.passes = Passes::short_side_first;
    CHECK_THROWS_WITH(train_tiny(run, recorder), Catch::StartsWith("passes: ") && Catch::Contains(what));
  }
}

TEST_CASE("Training adapters lowers the loss and changes nothing else") {
  for (const char* objective : {"solopo:dpo", "solopo:orpo", "tdpo1", "sft"}) {
    CAPTURE(objective);
    const TinyRun run{
        .objective = objective, .batch_size = 7, .epochs = 20, .lora = LoraConfig{.rank = 4, .alpha = 8}};
    Recorder recorder;
    const TinyOutcome out = train_tiny(run, recorder);
    const LlamaWeights<float> start = tiny_weights();
    CHECK(std::equal(out.base.begin(), out.base.end(), start.data.begin()));
    CHECK(out.weights.size() == LoraLayout(start.config, *run.lora).size());
    CHECK(*recorder.steps.back().second.find("loss") < 0.8 * *recorder.steps.front().second.find("loss"));
  }
}

TEST_CASE("With adapters at step 0 the loss is that of the base, which is the reference, bit for bit") {
  for (const char* objective : {"solopo:dpo", "tdpo1", "wpo"}) {
    CAPTURE(objective);
    TinyRun run{.objective = objective, .max_steps = 1};
    Recorder full, adapted;
    train_tiny(run, full);
    run.lora = LoraConfig{.rank = 4, .alpha = 8};
    train_tiny(run, adapted);
    for (const char* name : {"loss", "rewards/margins", "logps/chosen"})
      CHECK(adapted.steps[0].second.find(name) == full.steps[0].second.find(name));
  }
}

TEST_CASE("The base that runs beside its adapters is the reference computed before, bit for bit") {
  TinyRun run{.objective = "solopo:dpo", .max_steps = 5, .lora = LoraConfig{.rank = 4, .alpha = 8}};
  Recorder cached, live;
  const auto expected = train_tiny(run, cached).weights;
  run.live = true;
  CHECK(train_tiny(run, live).weights == expected);
}

TEST_CASE("A run of adapters that was interrupted resumes to the same bits") {
  TinyRun run{.objective = "solopo:dpo",
              .eval_records = 3,
              .max_steps = 6,
              .lora = LoraConfig{.rank = 3, .alpha = 6}};
  run.options.eval_every = 2;
  Recorder whole;
  const auto expected = train_tiny(run, whole).weights;
  for (const std::int64_t stop : {0, 1, 4}) {
    CAPTURE(stop);
    TemporaryFolder folder;
    run.options.folder = folder.path();
    run.options.resume = true;
    Recorder first, second;
    if (stop == 0) first.stop = 15;
    first.stop_after = stop;
    train_tiny(run, first);
    CHECK(std::filesystem::exists(folder.path() / ("checkpoint-" + std::to_string(stop)) /
                                  adapter_weights_name));
    const TinyOutcome resumed = train_tiny(run, second);
    CHECK(resumed.weights == expected);
    REQUIRE(first.steps.size() + second.steps.size() == whole.steps.size());
    CHECK(lasting(second.steps.back().second) == lasting(whole.steps.back().second));
  }
}

TEST_CASE("A checkpoint of adapters is no checkpoint of a model, nor one of other adapters") {
  TemporaryFolder folder;
  TinyRun run{.max_steps = 1, .lora = LoraConfig{.rank = 3, .alpha = 6}};
  run.options.folder = folder.path();
  Recorder recorder;
  train_tiny(run, recorder);
  run.options.resume = true;
  SECTION("no adapters") {
    run.lora.reset();
    CHECK_THROWS_WITH(train_tiny(run, recorder),
                      Catch::Contains("model.safetensors") && Catch::Contains("no such file"));
  }
  SECTION("another rank") {
    run.lora->rank = 4;
    CHECK_THROWS_WITH(train_tiny(run, recorder), Catch::Contains("lora_A.weight' has another size"));
  }
  SECTION("another rank that the identity names") {
    run.options.identity = {{"lora", describe(*run.lora)}};
    run.options.allow_change = {"lora"};
    CHECK_THROWS_WITH(train_tiny(run, recorder),
                      Catch::Contains("lora: was not set, is rank 3, alpha 6 on q_proj k_proj v_proj o_proj "
                                      "gate_proj up_proj down_proj (can never change)"));
  }
}

TEST_CASE("A reference cannot follow adapters: it is their base") {
  TinyRun run{.objective = "dpo", .max_steps = 1, .lora = LoraConfig{.rank = 4, .alpha = 8}};
  run.live = true;
  run.options.reference_update.every = 1;
  Recorder recorder;
  CHECK_THROWS_WITH(train_tiny(run, recorder),
                    Catch::Contains("reference_update.every: needs a reference with weights of its own"));
}
