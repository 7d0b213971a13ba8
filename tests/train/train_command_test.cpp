#include "train_command.hpp"

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "catch.hpp"
#include "metrics_log.hpp"
#include "score_command.hpp"
#include "solopo/core/random.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/model/language_model.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/model/model_cost.hpp"
#include "tiny_run.hpp"
#include "train_cost.hpp"
#include "train_plan.hpp"
#include "usage_error.hpp"

using namespace solopo;
using namespace solopo::cli;
using solopo::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

const fs::path tiny_model = SOLOPO_SOURCE_DIR "/examples/data/tiny";

// Records in the words of the tiny model: a document with the answer, more of them in the long prompt.
void write_records(const fs::path& path, std::size_t count, std::uint64_t seed) {
  io::JsonlWriter out(path);
  const auto document = [](RandomStream& random, const char* key) {
    const char* words[] = {"amber fox", "huge lamp", "calm otter"};
    return std::string(key) + words[random.below(3)] + " not also since\n";
  };
  for (std::size_t i = 0; i < count; ++i) {
    RandomStream random(seed, "records", i);
    const std::string evidence = document(random, "117"),
                      more = document(random, "204") + document(random, "131");
    const auto message = [](const std::string& text) {
      return io::Json::array({{{"role", "user"}, {"content", text + "\n117"}}});
    };
    out.write({{"id", i},
               {"prompt_short", message(evidence)},
               {"prompt_long", message(more + evidence)},
               {"chosen", evidence.substr(3, evidence.find(" not") - 3)},
               {"rejected", i % 2 == 0 ? "brisk mouse" : "light bell"},
               {"sampled_from", "short"},
               {"gold_chosen", false},
               {"question", "117"}});
  }
  out.commit();
}

struct Job {
  TemporaryFolder folder;
  TrainCommandOptions options;
  std::ostringstream printed, log;
  std::atomic<int> signal{0};

  Job() {
    write_records(folder.path() / "train.jsonl", 9, 1);
    write_records(folder.path() / "eval.jsonl", 4, 2);
    options.model = tiny_model;
    options.data = folder.path() / "train.jsonl";
    options.eval_data = folder.path() / "eval.jsonl";
    options.out = folder.path() / "run";
    options.eval_every = 2;
    options.save_every = 2;
    options.epochs = 2;
    options.lr = 1e-3;
  }
  int run() { return run_train(options, {.out = printed, .log = log, .stop_signal = &signal}); }
  [[nodiscard]] std::string weights(const char* file = "model.safetensors") const {
    return io::read_file(options.out / file, io::FileRole::model, 1u << 30);
  }
  [[nodiscard]] std::vector<io::Json> metrics() const {
    std::vector<io::Json> out;
    io::JsonlReader reader(options.out / "metrics.jsonl");
    while (auto line = reader.next()) {
      for (const char* name : {"seconds", "tokens_per_second", "peak_memory_bytes", "eval_seconds"}) {
        line->value.erase(name);
      }
      out.push_back(std::move(line->value));
    }
    return out;
  }
};

}  // namespace

TEST_CASE("All problems of the options come in one report, before anything is read") {
  TrainCommandOptions o;
  o.model = "/nonexistent/model";
  o.data = tiny_model;
  o.out = tiny_model / "config.json";
  o.objective = "solopo:dpo";
  o.context = "expand";
  o.objective_options = {{"alpha", -1}, {"beta", 0}, {"distance", "cubic"}};
  o.lr = std::numeric_limits<double>::quiet_NaN();
  o.batch_size = 0;
  o.max_length = 1;
  o.save_every = 0;
  o.too_long = "cut";
  const std::vector<std::string> problems = train_option_problems(o);
  std::string all;
  for (const std::string& problem : problems) all += problem + "\n";
  INFO(all);
  for (const char* flag : {"--model", "--data", "--out", "--context", "--alpha", "--beta", "--distance",
                           "--lr", "--batch-size", "--max-length", "--save-every", "--too-long"}) {
    CHECK(std::count_if(problems.begin(), problems.end(),
                        [&](const std::string& p) { return p.starts_with(std::string(flag) + ":"); }) == 1);
  }
  CHECK(problems.size() == 12);
  std::ostringstream log;
  CHECK_THROWS_AS(run_train(o, {.out = log, .log = log}), UsageError);
}

TEST_CASE("A run does not train into the model that it starts from") {
  Job job;
  job.options.out = job.options.model;
  const std::vector<std::string> problems = train_option_problems(job.options);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("is the --model that is trained") != std::string::npos);
}

TEST_CASE("Sound options have no problems") {
  Job job;
  CHECK(train_option_problems(job.options).empty());
}

TEST_CASE("A dry run tells options, records and tokens, and writes nothing") {
  Job job;
  job.options.dry_run = true;
  CHECK(job.run() == 0);
  const std::string text = job.printed.str();
  INFO(text);
  CHECK(text.find("objective: solopo:dpo\n") != std::string::npos);
  CHECK(text.find("alpha: 3\n") != std::string::npos);
  CHECK(text.find("epochs: 2\n# steps: 5\n") != std::string::npos);
  CHECK(text.find("9 records of 9") != std::string::npos);
  CHECK(text.find("prompt_long  tokens: min") != std::string::npos);
  CHECK_FALSE(fs::exists(job.options.out));
  // The whole is a file for --config: options, and comments.
  const std::regex line("[a-z_0-9]+: .+|# .+");
  std::istringstream lines(text);
  for (std::string one; std::getline(lines, one);) {
    CAPTURE(one);
    CHECK(std::regex_match(one, line));
  }
}

TEST_CASE("A dry run tells what a record costs, what the run holds and about how long it takes") {
  Job job;
  job.options.dry_run = true;
  CHECK(job.run() == 0);
  const std::string text = job.printed.str();
  INFO(text);
  for (const char* part :
       {"# a record in the mean: ", "# arithmetic: ", "linear layers ",
        "# reference, once: ", "# memory: ", "activations of the largest record, '",
        "# against Long-PO on these records: ", "# time, an estimate: ", "GFLOP/s measured now: layers "}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
  // An objective without a reference and without a long prompt has nothing to say about either.
  Job plain;
  plain.options.dry_run = true;
  plain.options.objective = "simpo";
  CHECK(plain.run() == 0);
  CHECK(plain.printed.str().find("# reference") == std::string::npos);
  CHECK(plain.printed.str().find("# against Long-PO") == std::string::npos);
}

TEST_CASE("The cost of a run is that of its records under the cost model, and recompute holds less") {
  Job job;
  const TrainPlan plan = make_train_plan(job.options);
  const TrainCost cost = train_cost(job.options, plan);
  const cost::ModelShape shape = model_shape(plan.text.config);
  cost::Flops flops;
  cost::Count tokens = 0, most = 0;
  for (const PreferenceRecord& r : plan.records.records) {
    const auto size = [](const std::vector<std::int32_t>& ids) {
      return static_cast<cost::Count>(ids.size());
    };
    const cost::RecordWork work =
        llama_work({size(r.prompt), size(r.prompt_long), size(r.chosen), size(r.rejected)},
                   {.sides = cost::Sides::solopo, .share_prefix = true});
    flops += cost::record_flops(shape, work, llama_training(false));
    tokens += work.differentiated.tokens;
    most = std::max(most, work.differentiated.tokens);
  }
  CHECK(cost.records == 9);
  CHECK(cost.policy.tokens == tokens);
  CHECK(cost.largest_rows == most);
  CHECK(cost.flops.total() == Approx(flops.total()).epsilon(1e-12));
  CHECK(cost.reference.tokens > cost.policy.tokens);  // of the held-out records too
  CHECK(cost.memory.model_state() == 16 * shape.weights());

  job.options.recompute = true;
  const TrainCost again = train_cost(job.options, plan);
  CHECK(again.memory.activations < cost.memory.activations);
  CHECK(again.flops.total() > cost.flops.total());

  const auto ratio = against_long(job.options, plan, again);
  REQUIRE(ratio.has_value());
  CHECK(ratio->plain < ratio->shared);
  CHECK(ratio->plain == Approx(again.flops.total() / [&] {
          cost::Flops all;
          for (const PreferenceRecord& r : plan.records.records) {
            const auto size = [](const std::vector<std::int32_t>& ids) {
              return static_cast<cost::Count>(ids.size());
            };
            all += cost::record_flops(
                shape,
                cost::record_work({size(r.prompt), size(r.prompt_long), size(r.chosen), size(r.rejected)},
                                  {.sides = cost::Sides::pair_long}),
                llama_training(true));
          }
          return all.total();
        }()));
}

TEST_CASE("The cost of a response-only gradient is that of its records under the cost model") {
  Job job;
  job.options.long_gradient = "response";
  const TrainPlan plan = make_train_plan(job.options);
  const TrainCost cost = train_cost(job.options, plan);
  const cost::ModelShape shape = model_shape(plan.text.config);
  cost::Flops flops;
  cost::Count read = 0;
  for (const PreferenceRecord& r : plan.records.records) {
    const auto size = [](const std::vector<std::int32_t>& ids) {
      return static_cast<cost::Count>(ids.size());
    };
    const cost::RecordWork work = llama_work(
        {size(r.prompt), size(r.prompt_long), size(r.chosen), size(r.rejected)},
        {.sides = cost::Sides::solopo, .share_prefix = true, .long_gradient = LongGradient::response});
    flops += cost::record_flops(shape, work, llama_training(false));
    read += work.read.tokens;
  }
  CHECK(cost.read.tokens == read);
  CHECK(cost.flops.total() == Approx(flops.total()).epsilon(1e-12));
  job.options.long_gradient = "full";
  const TrainCost full = train_cost(job.options, make_train_plan(job.options));
  CHECK(cost.memory.step() < full.memory.step());
  job.options.long_gradient = "response";
  job.options.full_gradient_every = 4;
  const TrainCost mixed = train_cost(job.options, make_train_plan(job.options));
  CHECK(mixed.flops.total() == Approx(0.75 * cost.flops.total() + 0.25 * full.flops.total()));
  // The keys of the prompts that response-only steps read stay beside a full step.
  CHECK(cost.memory.read_keys > 0);
  CHECK(mixed.memory.step() == full.memory.step() + cost.memory.read_keys);
}

TEST_CASE("A run that cannot fit into memory is refused before it begins, with what would fit") {
  Job job;
  job.options.passes = "two-pass";  // the next test is about passes
  const TrainPlan plan = make_train_plan(job.options);
  const auto refusal_of = [](const TrainPlan& p, const TrainCommandOptions& o,
                             cost::Count limit) -> std::string {
    TrainCost cost = train_cost(o, p);
    cost.program = 0;  // so that the limits below are the run's alone
    try {
      require_memory(o, p, cost, limit);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto refusal = [&](const TrainCommandOptions& o, cost::Count limit) {
    return refusal_of(plan, o, limit);
  };
  const auto peak = [&](bool recompute) {
    TrainCommandOptions o = job.options;
    o.recompute = recompute;
    return train_cost(o, plan).memory.total();
  };
  const cost::Count all = peak(false), less = peak(true);
  REQUIRE(less < all);
  CHECK(refusal(job.options, all) == "");
  CHECK_THAT(refusal(job.options, all - 1), Catch::Contains("--recompute would fit"));
  CHECK_THAT(refusal(job.options, less), Catch::Contains("--recompute would fit"));
  CHECK_THAT(refusal(job.options, less - 1), Catch::Contains("; --long-gradient response"));
  TrainCommandOptions shorter = job.options;
  shorter.recompute = true;
  TrainPlan semi = plan;
  semi.trainer.long_gradient = LongGradient::response;
  const cost::Count least = train_cost(shorter, semi).memory.total();
  REQUIRE(least < less);
  // What it names is all that it changes.
  TrainCommandOptions apart = job.options;
  apart.passes = "together";
  const cost::Count shared = train_cost(apart, make_train_plan(apart)).memory.total();
  apart.share_prefix = false;
  const TrainPlan unshared = make_train_plan(apart);
  CHECK_THAT(refusal_of(unshared, apart, shared), Catch::Contains("; --share-prefix would fit"));
  CHECK_THAT(refusal_of(unshared, apart, least),
             Catch::Contains("; --recompute with --passes two-pass with --share-prefix with --long-gradient "
                             "response would fit"));
  TrainPlan mixed = semi;
  mixed.trainer.full_gradient_every = 4;
  CHECK_THAT(refusal_of(mixed, shorter, least), Catch::Contains("; --full-gradient-every 0 would fit"));
  CHECK_THAT(refusal(job.options, least), Catch::Contains("--recompute with --long-gradient response would"));
  CHECK_THAT(refusal(job.options, least - 1), Catch::Contains("--max-length"));
  TrainPlan longer = plan;  // than the rows that --mlp-rows is offered with
  longer.records.records.front().prompt_long.resize(3000, 1);
  TrainCommandOptions few = shorter;
  few.mlp_rows = 1024;
  const cost::Count at_once = train_cost(shorter, longer).memory.total(),
                    in_parts = train_cost(few, longer).memory.total();
  REQUIRE(in_parts < at_once);
  CHECK_THAT(refusal_of(longer, shorter, in_parts), Catch::Contains("; --mlp-rows 1024 would fit"));
  CHECK_THAT(refusal_of(longer, job.options, in_parts),
             Catch::Contains("; --recompute with --mlp-rows 1024 would fit"));
  CHECK_THAT(refusal_of(longer, few, in_parts - 1), Catch::Contains("; --long-gradient response would fit"));
  const cost::Count state = train_cost(job.options, plan).memory.model_state();
  CHECK_THAT(refusal(job.options, state),
             Catch::Contains("; --lora-rank 16, adapters beside frozen weights, would"));
  CHECK_THAT(refusal(job.options, state / 8), Catch::Contains("a smaller model"));

  // The length it names does fit, and one token more does not.
  const auto with_length = [&](std::size_t tokens) {
    TrainPlan cut = semi;
    for (PreferenceRecord& r : cut.records.records) {
      const std::size_t response = std::max(r.chosen.size(), r.rejected.size());
      for (auto* ids : {&r.prompt, &r.prompt_long}) ids->resize(std::min(ids->size(), tokens - response));
    }
    return train_cost(shorter, cut).memory.total();
  };
  const PreferenceRecord& first = plan.records.records.front();
  const std::size_t wanted = first.prompt_long.size() + first.chosen.size() - 3;
  const cost::Count limit = with_length(wanted);
  REQUIRE(with_length(wanted + 1) > limit);
  CHECK_THAT(refusal_of(semi, shorter, limit), Catch::Contains(fmt::format("--max-length {} ", wanted)));
}

TEST_CASE("Two passes are taken where one does not fit, and where they are asked for") {
  Job job;
  TrainPlan plan = make_train_plan(job.options);
  const auto peak = [&](const TrainPlan& p) { return train_cost(job.options, p).memory.total(); };
  const auto work = [&](const TrainPlan& p) { return train_cost(job.options, p).flops.total(); };
  TrainPlan two = plan;
  two.trainer.passes = Passes::short_side_first;
  REQUIRE(peak(two) < peak(plan));
  CHECK(work(two) > work(plan));
  for (const auto& [room, taken] :
       {std::pair(peak(plan), false), {peak(plan) - 1, true}, {peak(two), true}, {peak(two) - 1, false}}) {
    TrainPlan chosen = plan;
    CHECK(choose_passes(job.options, chosen, room) == taken);
    CHECK(chosen.trainer.passes == (taken ? Passes::short_side_first : Passes::one));
  }

  job.options.passes = "together";
  CHECK_FALSE(choose_passes(job.options, plan, peak(two)));
  TrainCost cost = train_cost(job.options, plan);
  cost.program = 0;
  CHECK_THROWS_WITH(require_memory(job.options, plan, cost, cost.memory.total() - 1),
                    Catch::Contains("; --passes two-pass would fit"));
  job.options.passes = "two-pass";
  CHECK(make_train_plan(job.options).trainer.passes == Passes::short_side_first);
  CHECK(job.run() == 0);
  job.options.objective = "dpo";
  CHECK(train_option_problems(job.options) ==
        std::vector<std::string>{"--passes: dpo has one side, so there is one pass"});
  job.options.objective = "solopo:tdpo1";
  CHECK_THAT(train_option_problems(job.options).at(0), Catch::StartsWith("--passes: solopo:tdpo1 compares"));
}

TEST_CASE("--memory is obeyed with and without --dry-run, and nothing is written") {
  for (const bool dry : {true, false}) {
    Job job;
    job.options.dry_run = dry;
    job.options.memory = 0.001;
    CHECK_THROWS_WITH(job.run(), Catch::Contains("the run needs") && Catch::Contains("--memory allows"));
    CHECK_FALSE(fs::exists(job.options.out));
    CHECK((job.printed.str().find("# memory: ") != std::string::npos) == dry);
  }
  Job job;
  job.options.memory = -1;
  CHECK_THROWS_WITH(job.run(), Catch::Contains("--memory"));
}

TEST_CASE("A calibration gives rates above zero for every part") {
  const Calibration rates = calibrate(load_model_text(tiny_model).config);
  CHECK(rates.linear > 0);
  CHECK(rates.attention > 0);
  CHECK(rates.head > 0);
  CHECK(rates.seconds({.linear = rates.linear, .attention = 0, .head = rates.head}) == Approx(2.0));
}

TEST_CASE("A log goes on after its step, without the lines that cannot be read") {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "metrics.jsonl";
  std::ofstream(path) << "{\"step\":1}\n{\"st\n\xff\n{\"step\":2}\n[]\n{\"step\":3}\n{\"step";
  Metrics metrics;
  metrics.set("loss", 0.5);
  MetricsLog(path, 2).write(3, metrics);
  CHECK(io::read_file(path, io::FileRole::data, 1000) ==
        "{\"step\":1}\n{\"step\":2}\n{\"loss\":0.5,\"step\":3}\n");
}

TEST_CASE(
    "A run leaves a model that loads, checkpoints, metrics and a cached reference; stopped and resumed it is "
    "the same") {
  Job whole;
  REQUIRE(whole.run() == 0);
  CHECK_NOTHROW(load_model(whole.options.out));
  const auto expected = whole.metrics();
  CHECK(expected[0]["step"] == 1);
  CHECK(expected[0]["solo_ra/gap"] == 0.0);
  CHECK(std::count_if(expected.begin(), expected.end(),
                      [](const io::Json& l) { return l.contains("loss"); }) == 5);
  CHECK(std::count_if(expected.begin(), expected.end(),
                      [](const io::Json& l) { return l.contains("eval_loss"); }) == 3);

  for (const std::int64_t stop : {2, 4}) {
    Job parts;
    // Asks to stop when something is said (an evaluation) once that step is in metrics.jsonl.
    struct StopAt : std::stringbuf {
      std::atomic<int>* signal;
      fs::path metrics;
      std::int64_t step = 0;
      int sync() override {
        std::ifstream in(metrics);
        std::string line;
        while (std::getline(in, line)) {
          if (line.find("\"step\":" + std::to_string(step)) != std::string::npos) *signal = 2;
        }
        return 0;
      }
    } buffer;
    buffer.signal = &parts.signal;
    buffer.metrics = parts.options.out / "metrics.jsonl";
    buffer.step = stop;
    std::ostream log(&buffer);
    CHECK(run_train(parts.options, {.out = parts.printed, .log = log, .stop_signal = &parts.signal}) == 130);
    CHECK_FALSE(fs::exists(parts.options.out / "config.json"));
    CHECK_THROWS_AS(parts.run(), UsageError);  // without resume
    parts.signal = 0;
    parts.options.resume = true;
    CHECK(parts.run() == 0);
    CHECK(parts.log.str().find("reference log-probabilities: from") != std::string::npos);
    CHECK(parts.weights() == whole.weights());
    CHECK(parts.metrics() == expected);
  }
}

TEST_CASE(
    "A run of adapters leaves a folder of PEFT that merges on load; stopped and resumed it is the same") {
  Job whole;
  whole.options.lora_rank = 4;
  whole.options.lora_targets = "attention,up_proj";
  REQUIRE(whole.run() == 0);
  CHECK_FALSE(fs::exists(whole.options.out / "model.safetensors"));
  const io::Json config = io::parse_json_file(whole.options.out / adapter_config_name, io::FileRole::model);
  CHECK(config.at("r") == 4);
  CHECK(config.at("lora_alpha") == 8);
  CHECK(config.at("target_modules") == io::Json({"q_proj", "k_proj", "v_proj", "o_proj", "up_proj"}));
  CHECK(config.at("base_model_name_or_path") == tiny_model.string());
  const auto expected = whole.metrics();
  CHECK(expected[0]["solo_ra/gap"] == 0.0);
  CHECK(expected[0]["rewards/margins"] == 0.0);

  // As if it had been killed after the checkpoint of step 4 of 5.
  Job parts;
  parts.options.lora_rank = 4;
  parts.options.lora_targets = whole.options.lora_targets;
  REQUIRE(parts.run() == 0);
  fs::remove_all(parts.options.out / "checkpoint-5");
  fs::remove(parts.options.out / adapter_weights_name);
  parts.options.resume = true;
  CHECK(parts.run() == 0);
  CHECK(parts.weights(adapter_weights_name) == whole.weights(adapter_weights_name));
  parts.options.lora_alpha = 4;
  CHECK_THROWS_WITH(parts.run(),
                    Catch::Contains("lora: was rank 4, alpha 8 on q_proj k_proj v_proj o_proj up_proj, "
                                    "is rank 4, alpha 4 on"));
  parts.options.lora_rank = 0;
  parts.options.lora_alpha = 0;
  parts.options.lora_targets = "all";
  CHECK_THROWS_WITH(parts.run(), Catch::Contains("is not set (can never change)"));

  // The adapted model gives the records other log-probabilities than its base.
  const auto scored = [&](const fs::path& adapter) {
    ScoreCommandOptions options;
    options.model = tiny_model;
    options.adapter = adapter;
    options.in = whole.options.data;
    options.out = whole.folder.path() / "scored.jsonl";
    run_score(options, {.out = whole.printed, .log = whole.log});
    io::JsonlReader out(options.out);
    return out.next()->value.at("ref_chosen_logps").get<double>();
  };
  CHECK(scored(whole.options.out) > scored({}));
  CHECK_THROWS_AS(scored(whole.folder.path()), ModelError);
  CHECK_THROWS_WITH(load_model(whole.options.out), Catch::Contains("holds adapters and no model"));
}

TEST_CASE("Adapters are trained on: the reference is the model with them, and a resumed run is the same") {
  Job first;
  first.options.lora_rank = 4;
  first.options.lora_alpha = 6;
  first.options.lora_targets = "attention";
  REQUIRE(first.run() == 0);
  Job whole, parts;
  for (Job* job : {&whole, &parts}) {
    job->options.adapter = first.options.out;
    REQUIRE(job->run() == 0);
  }
  const auto expected = whole.metrics();
  CHECK(expected[0]["solo_ra/gap"] == 0.0);
  CHECK(expected[0]["rewards/margins"] == 0.0);
  const LoraConfig config = load_lora_config(whole.options.out);
  CHECK(config == load_lora_config(first.options.out));
  CHECK(whole.weights(adapter_weights_name) != first.weights(adapter_weights_name));
  CHECK(whole.weights("reference.safetensors") != first.weights("reference.safetensors"));

  fs::remove_all(parts.options.out / "checkpoint-5");
  fs::remove(parts.options.out / adapter_weights_name);
  parts.options.resume = true;
  CHECK(parts.run() == 0);
  CHECK(parts.weights(adapter_weights_name) == whole.weights(adapter_weights_name));
  parts.options.adapter = whole.options.out;
  CHECK_THROWS_WITH(parts.run(), Catch::Contains("adapter: was ") && Catch::Contains("(can never change)"));

  whole.options.dry_run = true;
  REQUIRE(whole.run() == 0);
  CHECK_THAT(whole.printed.str(), Catch::Contains("\nadapter: " + first.options.out.string() + "\n"));
  CHECK_THAT(whole.printed.str(), !Catch::Contains("lora_rank"));
  whole.options.adapter = first.folder.path();
  CHECK_THROWS_AS(whole.run(), ModelError);
}

TEST_CASE("Adapters are priced: less arithmetic, no gradients of the weights, no copy for a live reference") {
  Job job;
  const TrainCost full = train_cost(job.options, make_train_plan(job.options));
  job.options.lora_rank = 2;
  job.options.lora_targets = "q_proj,v_proj";
  const TrainPlan plan = make_train_plan(job.options);
  const TrainCost cost = train_cost(job.options, plan);
  const cost::ModelShape shape = model_shape(plan.text.config);
  const cost::Count adapters =
      cost::lora_weights(shape, {.rank = 2, .targets = Projections::q | Projections::v});
  CHECK(cost.memory.weights == 4 * (shape.weights() + adapters));
  CHECK(cost.memory.gradients == 4 * adapters);
  CHECK(cost.memory.optimiser == 8 * adapters);
  CHECK(cost.flops.total() < full.flops.total());
  job.options.objective = "tdpo1";
  CHECK(train_cost(job.options, make_train_plan(job.options)).memory.weights == cost.memory.weights);
  CHECK(job.run() == 0);
  CHECK(job.metrics()[0]["rewards/margins"] == 0.0);
  job.options.dry_run = true;
  CHECK(job.run() == 0);
  CHECK_THAT(job.printed.str(),
             Catch::Contains("lora_rank: 2\nlora_alpha: 4\nlora_targets: q_proj,v_proj\n"));
}

TEST_CASE("Adapters that cannot be are refused by flag before anything is read") {
  Job job;
  const auto problem = [&](std::int64_t rank, double alpha, const char* targets, std::int64_t sync = 0) {
    job.options.lora_rank = rank;
    job.options.lora_alpha = alpha;
    job.options.lora_targets = targets;
    job.options.ref_model_sync_steps = sync;
    const auto found = train_option_problems(job.options);
    return found.empty() ? std::string() : found.front();
  };
  CHECK(problem(8, 0, "q_proj,mlp") == "");
  CHECK(problem(0, 0, "all") == "");
  CHECK(problem(-1, 0, "all") == "--lora-rank: -1 must be 0 or more, and at most 65536");
  CHECK(problem(8, -2, "all") == "--lora-alpha: -2 must be above 0, or 0");
  CHECK_THAT(problem(8, 0, "q_prj"),
             Catch::StartsWith("--lora-targets: 'q_prj' is not known; did you mean 'q_proj'? (known: all, "
                               "attention, mlp, q_proj,"));
  CHECK_THAT(problem(8, 0, "q_proj,"), Catch::StartsWith("--lora-targets: '' is not known"));
  CHECK(problem(0, 16, "all") == "--lora-alpha: there are no adapters without --lora-rank");
  CHECK(problem(0, 0, "mlp") == "--lora-targets: there are no adapters without --lora-rank");
  CHECK_THAT(problem(8, 0, "all", 4),
             Catch::StartsWith("--ref-model-sync-steps: adapters are trained beside a model that stays"));
  job.options.adapter = job.folder.path();
  CHECK(problem(0, 0, "all") == "");
  CHECK(problem(8, 0, "all") == "--lora-rank: --adapter brings its own");
  CHECK(problem(0, 0, "mlp") == "--lora-targets: --adapter brings its own");
  CHECK_THAT(problem(0, 0, "all", 4), Catch::StartsWith("--ref-model-sync-steps: adapters are trained"));
  job.options.objective = "tdpo1";
  CHECK_THAT(problem(0, 0, "all"), Catch::Contains("'solopo merge' them first"));
  job.options.adapter = job.folder.path() / "none";
  CHECK_THAT(problem(0, 0, "all"), Catch::StartsWith("--adapter: there is no "));
}

TEST_CASE(
    "A reference that runs in training is no cache, is priced, and its checkpoints hold it where it moves") {
  Job tdpo;
  tdpo.options.objective = "tdpo1";
  CHECK(tdpo.run() == 0);
  CHECK_FALSE(fs::exists(tdpo.options.out / "reference.safetensors"));
  CHECK(tdpo.metrics()[0]["rewards/margins"] == 0.0);
  CHECK(tdpo.metrics()[1]["rewards/margins"] != 0.0);
  Job few;
  few.options.objective = "tdpo1";
  few.options.mlp_rows = 20;
  CHECK(few.run() == 0);
  CHECK(few.metrics()[0]["rewards/margins"] == 0.0);

  Job moving;
  moving.options.ref_model_sync_steps = 2;
  CHECK(moving.run() == 0);
  CHECK(fs::exists(moving.options.out / "checkpoint-4" / "reference.safetensors"));

  Job fixed;
  const TrainCost cached = train_cost(fixed.options, make_train_plan(fixed.options));
  const TrainCost live = train_cost(moving.options, make_train_plan(moving.options));
  CHECK(live.memory.weights == 2 * cached.memory.weights);
  CHECK(live.memory.workspace > cached.memory.workspace);
  CHECK(live.reference.tokens == 0);
  CHECK(cached.reference.tokens > 0);
  CHECK(live.flops.total() > 1.2 * cached.flops.total());
}

TEST_CASE("A reference cannot follow where the objective has none, or by a share out of range") {
  Job job;
  job.options.objective = "orpo";
  job.options.ref_model_sync_steps = 4;
  job.options.ref_model_mixup_alpha = 0;
  const std::vector<std::string> problems = train_option_problems(job.options);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0] == "--ref-model-sync-steps: orpo has no reference model");
  CHECK(problems[1] == "--ref-model-mixup-alpha: 0 must be above 0 and at most 1");
}

TEST_CASE("A response-only gradient is refused where nothing is aligned, and full steps where all are full") {
  Job job;
  const auto problems = [&](const char* objective, const char* gradient, std::int64_t every) {
    job.options.objective = objective;
    job.options.long_gradient = gradient;
    job.options.full_gradient_every = every;
    const auto found = train_option_problems(job.options);
    return found.empty() ? std::string() : found.front();
  };
  CHECK(problems("solopo:dpo", "response", 4) == "");
  CHECK(problems("dpo", "response", 0) ==
        "--long-gradient: dpo has no long side that could be read; solopo:dpo has");
  CHECK(problems("solopo:dpo", "respond", 0) ==
        "--long-gradient: 'respond' is not known; did you mean 'response'? (known: full, response)");
  CHECK_THAT(problems("solopo:dpo", "full", 4), Catch::StartsWith("--full-gradient-every: "));
  CHECK(problems("solopo:dpo", "response", -1) == "--full-gradient-every: -1 must be 0 or more");
}

TEST_CASE("A request to stop before training saves nothing and gives the signal's code") {
  Job job;
  job.signal = 15;
  CHECK(job.run() == 143);
  CHECK(list_checkpoints(job.options.out).empty());
}

TEST_CASE("A length past the model's context is refused, and records past a limit by rule") {
  Job job;
  job.options.max_length = 100000;
  CHECK_THROWS_AS(job.run(), UsageError);
  job.options.max_length = 20;
  CHECK_THROWS_AS(job.run(), DataError);
  CHECK_FALSE(fs::exists(job.options.out));
  job.options.too_long = "middle";
  CHECK(job.run() == 0);
  CHECK(job.log.str().find("9 cut in the middle of the context") != std::string::npos);
}

TEST_CASE("Score adds log-probabilities and token counts to every record and keeps the rest") {
  Job job;
  ScoreCommandOptions options;
  options.model = tiny_model;
  options.in = job.options.data;
  options.out = job.folder.path() / "scored.jsonl";
  CHECK(run_score(options, {.out = job.printed, .log = job.log}) == 0);
  io::JsonlReader in(options.in), out(options.out);
  std::size_t records = 0;
  while (const auto scored = out.next()) {
    const auto source = in.next();
    for (const auto& [key, value] : source->value.items()) CHECK(scored->value[key] == value);
    for (const char* name :
         {"ref_chosen_logps", "ref_rejected_logps", "ref_chosen_logps_long", "ref_rejected_logps_long"}) {
      CHECK(scored->value[name].get<double>() < 0);
    }
    CHECK(scored->value["chosen_tokens"] == 3);  // two words and the end of turn
    CHECK(scored->value["rejected_tokens"] == 3);
    ++records;
  }
  CHECK(records == 9);
}
