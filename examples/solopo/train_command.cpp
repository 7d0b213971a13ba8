#include "train_command.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <memory>
#include <utility>

#include "cpu_model.hpp"
#include "metrics_log.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/kernels/native_bf16.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/train/device_learner.hpp"
#include "solopo/train/live_reference.hpp"
#include "solopo/train/reference_logps.hpp"
#include "solopo/train/run_lock.hpp"
#include "train_cost.hpp"
#include "train_plan.hpp"
#include "train_progress.hpp"
#include "usage_error.hpp"
#include "version.hpp"

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
std::string build_text(const TrainCommandOptions& o, std::int64_t library_pairs) {
  std::string processor;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      processor = line.substr(line.find(':') + 1);
      break;
    }
  }
  if (o.where.on_cuda())
    return fmt::format("cuda {} {} recompute {} deterministic {} attention {} {}", o.where.dtype_name(),
                       SOLOPO_VERSION, o.recompute, o.where.deterministic, library_pairs,
                       device_plugin().info().name);
  const std::string rounding =
      o.where.is_bf16() ? fmt::format(" bf16 attention too, isa {:x}", kernels::native_bf16_isa()) : "";
  return fmt::format("{} {}{} {} for {} threads {} recompute {}{}{}", SOLOPO_VERSION,
                     kernels::DefaultProduct::name, rounding, __VERSION__, compiled_instruction_set(),
                     kernels::thread_count(), o.recompute,
                     o.mlp_rows > 0 ? fmt::format(" mlp rows {}", o.mlp_rows) : "", processor);
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

// `adapter` says which adapters it began with, "" for new ones.
RunIdentity run_identity(const TrainCommandOptions& options, const TrainPlan& plan,
                         const std::string& weights, const std::string& adapter) {
  RunIdentity out = {{"model", weights}, {"tokenizer", tokenizer_digest(plan.text)}};
  if (!adapter.empty()) out.emplace_back("adapter", adapter);
  if (plan.lora) out.emplace_back("lora", describe(*plan.lora));
  for (const auto& [name, value] : plan.objective) out.emplace_back(name, value.text());
  if (options.where.on_cuda()) {
    out.emplace_back("device", options.where.device);
    out.emplace_back("dtype", options.where.dtype_name());
    out.emplace_back("library_pairs", std::to_string(plan.library_pairs));
    out.emplace_back("deterministic", options.where.deterministic ? "true" : "false");
  } else {
    if (options.where.is_bf16()) out.emplace_back("dtype", options.where.dtype_name());
    if (options.mlp_rows > 0) out.emplace_back("mlp_rows", std::to_string(options.mlp_rows));
    out.emplace_back("threads", std::to_string(kernels::thread_count()));
  }
  return out;
}

// From the cache, or computed and put there. Nothing when asked to stop.
template <PolicyModel Model>
std::optional<ReferenceLogps> reference_of(Model& model, const RecordFile& file, const TrainPlan& plan,
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
  if (!computed) {
    progress.say("stopped while the reference was asked; it will be asked again");
    return computed;
  }
  try {
    write_reference(cache, key, *computed);
  } catch (const IoError& error) {
    progress.warn(std::string("the reference's log-probabilities were not kept: ") + error.what());
  }
  return computed;
}

// Calls train(policy, what is trained, live reference or null).
template <class Train>
auto train_on_cpu(const TrainCommandOptions& options, const TrainPlan& plan, LlamaWeights<float>& weights,
                  const LoraWeights<float>* lora, const Parameters& trained, Train&& train) {
  const LlamaOptions how{.recompute = options.recompute,
                         .mlp_rows = static_cast<std::int32_t>(std::min<std::int64_t>(
                             options.mlp_rows, std::numeric_limits<std::int32_t>::max()))};
  CpuModel policy = lora ? CpuModel(weights, *lora, how) : CpuModel(weights, how);
  std::unique_ptr<LiveReference> live;
  using Product = kernels::ChosenProduct;
  if (reference_is_live(plan) && lora) live = std::make_unique<BaseReference<Product>>(weights, how);
  if (reference_is_live(plan) && !lora) live = std::make_unique<LlamaReference<Product>>(weights, how);
  return train(policy, trained, live.get());
}

// The same; what was trained is on the host when it returns.
template <class Train>
auto train_on_device(const TrainCommandOptions& options, const TrainPlan& plan, LlamaWeights<float>& weights,
                     const LoraWeights<float>* lora, const Parameters& trained, Train&& train) {
  const auto open = [&](const LlamaWeights<float>& from, const LoraWeights<float>* adapters, bool trains) {
    return device_plugin().open(from, adapters,
                                {.storage = options.where.storage(),
                                 .recompute = options.recompute,
                                 .deterministic = options.where.deterministic,
                                 .library_pairs = plan.library_pairs,
                                 .trains = trains,
                                 .adamw = plan.trainer.adamw});
  };
  const auto session = open(weights, lora, true);
  DevicePolicy policy(*session);
  DeviceLearner learner(*session, trained, plan.trainer.adamw);
  LlamaWeights<float> followed;
  std::unique_ptr<cuda::DeviceSession> follows;
  std::optional<DeviceReference> live;
  if (reference_is_live(plan)) {
    followed = weights;
    follows = open(followed, nullptr, false);
    live.emplace(*follows, followed);
  }
  auto out = train(policy, learner, live ? &*live : nullptr);
  learner.fetch();
  return out;
}

constexpr const char* two_pass_note =
    "the two sides of a record run one after the other (--passes two-pass), since together they do not fit "
    "into memory";

// Whether the device has a library's attention for this model.
bool asks_library(const TrainCommandOptions& options, const TrainPlan& plan, const std::string& no_device) {
  if (!options.where.on_cuda() || !no_device.empty()) return false;
  return options.where.storage() == cuda::DeviceStorage::bfloat16 &&
         device_plugin().has_library_attention(plan.text.config.head_dim);
}

std::string attention_note(const TrainCommandOptions& options, const TrainPlan& plan) {
  if (plan.library_pairs == cuda::never_library)
    return "attention: our own kernels; cuDNN would plan these records' many lengths longer than it saves";
  std::string out =
      fmt::format("attention: cuDNN for sequences of {} query-key pairs or more, our own kernels below",
                  plan.library_pairs);
  constexpr std::size_t is_long = 32768;
  std::size_t longest = 0;
  for (const PreferenceRecord& r : plan.records.records)
    longest = std::max({longest, r.prompt.size(), r.prompt_long.size()});
  if (options.where.deterministic && longest >= is_long)
    out += fmt::format(
        "; for prompts of {} tokens its sums in a fixed order take tens of GiB, --no-deterministic does "
        "without",
        longest);
  return out;
}

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

// The device's memory. For a dry run without a device the reason goes into `none` and there is no limit.
MachineMemory device_memory_of(const TrainCommandOptions& options, std::string& none) {
  try {
    const cuda::DeviceInfo info = device_plugin().info();
    return {info.total_bytes, info.free_bytes};
  } catch (const Error& error) {
    if (!options.dry_run) throw;
    none = error.what();
    constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
    return {any, any};
  }
}

int stopped_code(const Console& console) { return 128 + console.stop_signal->load(); }

}  // namespace

int run_train(const TrainCommandOptions& options, const Console& console) {
  if (const auto problems = train_option_problems(options); !problems.empty()) {
    throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
  }
  kernels::set_thread_count(static_cast<int>(options.threads));
  // A dry run may plan for a device that is elsewhere.
  if (!options.dry_run || !options.where.on_cuda()) require_device(options.where);
  TrainPlan plan = make_train_plan(options);
  TrainProgress progress(console);
  std::string no_device;
  const MachineMemory machine =
      options.where.on_cuda() ? device_memory_of(options, no_device) : machine_memory();
  const std::int64_t limit = memory_limit(options, machine);
  const std::int64_t held = options.where.on_cuda() ? 0 : static_cast<std::int64_t>(peak_process_bytes());
  const bool has_library = asks_library(options, plan, no_device);
  if (has_library) plan.library_pairs = library_pairs_of(plan);
  const bool in_two = choose_passes(options, plan, limit - held);
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
    if (!no_device.empty()) console.out << as_comment(no_device + "; its memory is not compared");
    if (has_library) console.out << as_comment(attention_note(options, plan));
    if (!options.where.on_cuda())
      console.out << as_comment(dtype_note(options.where))
                  << describe_time(plan, cost, calibrate(plan.text.config));
    if (const std::string note = describe_free_memory(cost, machine); !note.empty())
      console.out << as_comment(note);
    console.out << std::flush;
    return 0;
  }
  require_memory(options, plan, cost, limit);
  if (in_two) progress.say(two_pass_note);
  if (has_library) progress.say(attention_note(options, plan));
  if (!options.where.on_cuda()) progress.say(dtype_note(options.where));
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
  if (!options.adapter.empty())
    lora = load_lora(options.adapter, model.config);
  else if (plan.lora)
    lora = initial_lora<float>(model.config, *plan.lora, options.seed);
  const Parameters trained = lora ? parameters_of(*lora) : parameters_of(model.weights);
  const std::string weights = weights_digest(parameters_of(model.weights)),
                    adapter = options.adapter.empty() ? "" : weights_digest(trained),
                    start = adapter.empty() ? weights : io::sha256_hex(weights + adapter),
                    build = build_text(options, plan.library_pairs);
  const auto write = [&](const fs::path& folder) {
    lora ? save_lora(folder, *lora, options.model.string()) : save_model(folder, model);
  };
  plan.trainer.identity = run_identity(options, plan, weights, adapter);
  plan.trainer.stop = console.stop_signal;
  plan.trainer.write_model = write;

  // The same on the CPU and on a device. Nothing when asked to stop before the first step.
  const auto train = [&](auto& policy, auto& trains,
                         LiveReference* live) -> std::optional<std::pair<TrainResult, TrainState>> {
    const auto reference = reference_of(policy, plan.records, plan, options.out / "reference.safetensors",
                                        start, build, console, progress);
    if (!reference) return std::nullopt;
    const auto eval_reference = reference_of(
        policy, plan.eval, plan, options.out / "reference_eval.safetensors", start, build, console, progress);
    if (!eval_reference) return std::nullopt;
    ConsoleObserver observer(progress, options.out / "metrics.jsonl");
    Trainer trainer(policy, trains, plan.entry->make(plan.entry->name, plan.objective),
                    {.records = plan.records.records, .reference = &*reference, .live = live},
                    {.records = plan.eval.records, .reference = &*eval_reference, .live = live}, plan.trainer,
                    observer);
    const TrainResult result = trainer.run();
    return std::pair(result, trainer.state());
  };
  const auto run = [&] {
    return options.where.on_cuda()
               ? train_on_device(options, plan, model.weights, lora ? &*lora : nullptr, trained, train)
               : train_on_cpu(options, plan, model.weights, lora ? &*lora : nullptr, trained, train);
  }();
  if (!run) return stopped_code(console);
  const auto& [result, state] = *run;
  if (result.interrupted) {
    progress.say(fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                             result.steps, plan.trainer.length.steps));
    return stopped_code(console);
  }
  write(options.out);
  std::string summary =
      fmt::format("trained {} steps in {}; {} in {}", result.steps, format_duration(state.seconds),
                  lora ? "adapters" : "model", options.out.string());
  if (result.best_step > 0) {
    summary +=
        fmt::format("; lowest evaluation loss {:.4f} in checkpoint-{}", state.best_loss, result.best_step);
  }
  progress.say(summary);
  return 0;
}

}  // namespace solopo::cli
