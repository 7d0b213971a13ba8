#include "train_command.hpp"

#include <algorithm>
#include <fstream>
#include <memory>

#include "metrics_log.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/train/live_reference.hpp"
#include "solopo/train/reference_logps.hpp"
#include "solopo/train/run_lock.hpp"
#include "train_cost.hpp"
#include "train_plan.hpp"
#include "train_progress.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

namespace fs = std::filesystem;

// Progress for people and metrics.jsonl for programs.
class ConsoleObserver final : public TrainObserver {
 public:
  ConsoleObserver(TrainProgress& progress, fs::path log) : progress_(progress), path_(std::move(log)) {}

  void on_begin(std::int64_t first, std::int64_t last) override {
    log_.emplace(path_, first);
    progress_.begin(first, last);
    if (first > 0) progress_.say(fmt::format("resumed after step {} of {}", first, last));
  }
  void on_step(std::int64_t step, const Metrics& metrics) override {
    log_->write(step, metrics);
    progress_.step(step, metrics);
  }
  void on_eval(std::int64_t step, const Metrics& metrics) override {
    log_->write(step, metrics);
    std::string line =
        fmt::format("evaluation after step {}: loss {:.4f}", step, metrics.find("eval_loss").value_or(0));
    const auto add = [&](const char* name, const char* title) {
      if (const auto value = metrics.find(name)) line += fmt::format(", {} {:.4f}", title, *value);
    };
    add("eval_rewards/margins", "margin");
    add("eval_rewards/accuracies", "accuracy");
    add("eval_solo_ra/gap", "gap");
    progress_.say(line);
  }
  void on_warning(const std::string& message) override { progress_.warn(message); }

 private:
  TrainProgress& progress_;
  fs::path path_;
  std::optional<MetricsLog> log_;
};

// What else the bits of a log-probability depend on.
std::string build_text(const TrainCommandOptions& o) {
  std::string processor;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      processor = line.substr(line.find(':') + 1);
      break;
    }
  }
  return fmt::format("{} {} threads {} recompute {}{}", kernels::DefaultProduct::name, __VERSION__,
                     kernels::thread_count(), o.recompute, processor);
}

std::string tokenizer_digest(const ModelText& text) {
  io::Sha256 hash;
  for (std::int32_t id = 0; id < text.tokenizer.vocab_size(); ++id) {
    hash.update(text.tokenizer.token(id));
    hash.update("\n");
  }
  hash.update(text::name_of(text.chat.kind));
  hash.update(text.chat.default_system);
  return hash.hex();
}

RunIdentity run_identity(const TrainPlan& plan, const std::string& weights) {
  RunIdentity out = {{"model", weights}, {"tokenizer", tokenizer_digest(plan.text)}};
  if (plan.lora) out.emplace_back("lora", describe(*plan.lora));
  for (const auto& [name, value] : plan.objective) out.emplace_back(name, value.text());
  out.emplace_back("threads", std::to_string(kernels::thread_count()));
  return out;
}

// From the cache, or computed and put there. Nothing when asked to stop.
std::optional<ReferenceLogps> reference_of(Llama<float>& model, const RecordFile& file, const TrainPlan& plan,
                                           const fs::path& cache, const std::string& weights,
                                           const std::string& build, const Console& console,
                                           TrainProgress& progress) {
  const AnyObjective objective = plan.entry->make(plan.entry->name, plan.objective);
  const CollateOptions layout = layout_of(plan, objective);
  if (!needs_reference(layout.needs) || file.records.empty() || reference_is_live(plan))
    return ReferenceLogps{};
  const std::string key = reference_key(weights, records_digest(file.records), layout, build);
  try {
    if (auto cached = read_reference(cache, key, file.records.size())) {
      progress.say("reference log-probabilities: from " + cache.string());
      return cached;
    }
  } catch (const ModelError& error) {
    progress.warn(std::string("the reference cache is damaged and will be made again: ") + error.what());
  }
  auto computed = compute_reference(model, file.records, layout, [&](std::size_t done, std::size_t all) {
    progress.count("reference log-probabilities", done, all);
    return !(console.stop_signal && console.stop_signal->load() != 0);
  });
  if (computed) write_reference(cache, key, *computed);
  return computed;
}

constexpr const char* two_pass_note =
    "the two sides of a record run one after the other (--passes two-pass), since together they do not fit "
    "into memory";

// Every line as a comment, so that what a dry run prints is a YAML file as a whole.
std::string as_comment(const std::string& text) {
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += "# " + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return out;
}

int stopped_code(const Console& console) { return 128 + console.stop_signal->load(); }

}  // namespace

int run_train(const TrainCommandOptions& options, const Console& console) {
  if (const auto problems = train_option_problems(options); !problems.empty()) {
    throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  }
  kernels::set_thread_count(static_cast<int>(options.threads));
  TrainPlan plan = make_train_plan(options);
  TrainProgress progress(console);
  const MachineMemory machine = machine_memory();
  const std::int64_t limit = memory_limit(options, machine);
  const bool in_two = choose_passes(options, plan, limit - static_cast<std::int64_t>(peak_process_bytes()));
  const TrainCost cost = train_cost(options, plan);
  if (options.dry_run) {
    console.out << describe_options(options, plan) << "# " << plan.trainer.length.steps << " steps, "
                << plan.trainer.length.places << " records\n"
                << as_comment(describe_records(options.data.string(), plan.records));
    if (!options.eval_data.empty())
      console.out << as_comment(describe_records(options.eval_data.string(), plan.eval));
    console.out << describe_cost(options, plan, cost);
    if (in_two) console.out << as_comment(two_pass_note);
    console.out << std::flush;
    require_memory(options, plan, cost, limit);
    console.out << describe_time(plan, cost, calibrate(plan.text.config));
    if (const std::string note = describe_free_memory(cost, machine); !note.empty())
      console.out << as_comment(note);
    console.out << std::flush;
    return 0;
  }
  require_memory(options, plan, cost, limit);
  if (in_two) progress.say(two_pass_note);
  if (const std::string note = describe_free_memory(cost, machine); !note.empty()) progress.warn(note);
  console.log << describe_records(options.data.string(), plan.records);
  if (!options.eval_data.empty()) console.log << describe_records(options.eval_data.string(), plan.eval);
  console.log << std::flush;

  std::error_code error;
  fs::create_directories(options.out, error);
  if (error) throw IoError("create the folder", options.out.string(), error.value(), error.message());
  const RunLock lock(options.out);
  if (!options.resume && !list_checkpoints(options.out).empty()) {
    throw UsageError(
        "--out: " + options.out.string() +
        " holds checkpoints of an earlier run; go on with it (--resume) or choose another folder");
  }

  LanguageModel model = load_model(options.model);
  model.chat = plan.text.chat;
  std::optional<LoraWeights<float>> lora;
  if (plan.lora) lora = initial_lora<float>(model.config, *plan.lora, options.seed);
  const LlamaOptions how{.recompute = options.recompute};
  Llama<float> policy = lora ? Llama<float>(model.weights, *lora, how) : Llama<float>(model.weights, how);
  const std::string weights = weights_digest(parameters_of(model.weights)), build = build_text(options);
  std::unique_ptr<LiveReference> live;
  if (reference_is_live(plan)) {
    if (lora)
      live = std::make_unique<BaseReference>(model.weights);
    else
      live = std::make_unique<LlamaReference>(model.weights);
  }
  const auto reference = reference_of(policy, plan.records, plan, options.out / "reference.safetensors",
                                      weights, build, console, progress);
  if (!reference) return stopped_code(console);
  const auto eval_reference = reference_of(
      policy, plan.eval, plan, options.out / "reference_eval.safetensors", weights, build, console, progress);
  if (!eval_reference) return stopped_code(console);

  plan.trainer.identity = run_identity(plan, weights);
  plan.trainer.stop = console.stop_signal;
  const auto write = [&](const fs::path& folder) {
    lora ? save_lora(folder, *lora, options.model.string()) : save_model(folder, model);
  };
  plan.trainer.write_model = write;
  ConsoleObserver observer(progress, options.out / "metrics.jsonl");
  Trainer trainer(policy, lora ? parameters_of(*lora) : parameters_of(model.weights),
                  plan.entry->make(plan.entry->name, plan.objective),
                  {.records = plan.records.records, .reference = &*reference, .live = live.get()},
                  {.records = plan.eval.records, .reference = &*eval_reference, .live = live.get()},
                  plan.trainer, observer);
  const TrainResult result = trainer.run();
  if (result.interrupted) {
    progress.say(fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                             result.steps, plan.trainer.length.steps));
    return stopped_code(console);
  }
  write(options.out);
  std::string summary =
      fmt::format("trained {} steps in {}; {} in {}", result.steps, format_duration(trainer.state().seconds),
                  lora ? "adapters" : "model", options.out.string());
  if (result.best_step > 0) {
    summary += fmt::format("; lowest evaluation loss {:.4f} in checkpoint-{}", trainer.state().best_loss,
                           result.best_step);
  }
  progress.say(summary);
  return 0;
}

}  // namespace solopo::cli
