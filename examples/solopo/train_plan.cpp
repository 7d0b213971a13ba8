#include "train_plan.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "choose_template.hpp"
#include "path_text.hpp"
#include "solopo/cuda/library_choice.hpp"
#include "solopo/io/json.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/train/collate.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

namespace fs = std::filesystem;

// Whether files can be made at `folder`, which may not be there yet.
bool writable(fs::path folder) {
  std::error_code error;
  folder = fs::absolute(folder, error);
  while (!fs::exists(folder, error) && folder.has_parent_path() && folder != folder.parent_path()) {
    folder = folder.parent_path();
  }
  return fs::is_directory(folder, error) && ::access(folder.c_str(), W_OK | X_OK) == 0;
}

void check_paths(const TrainCommandOptions& o, std::vector<std::string>& problems) {
  const auto need = [&](const char* flag, const fs::path& path, bool may_be_folder) {
    std::error_code error;
    if (path.empty()) {
      problems.push_back(fmt::format("{}: is missing", flag));
    } else if (!fs::exists(path, error)) {
      problems.push_back(fmt::format("{}: there is no {}", flag, path.string()));
    } else if (!may_be_folder && fs::is_directory(path, error)) {
      problems.push_back(fmt::format("{}: {} is a folder", flag, path.string()));
    } else if (::access(path.c_str(), R_OK) != 0) {
      problems.push_back(fmt::format("{}: {} cannot be read", flag, path.string()));
    }
  };
  need("--model", o.model, true);
  need("--data", o.data, false);
  if (!o.eval_data.empty()) need("--eval-data", o.eval_data, false);
  if (!o.adapter.empty()) need("--adapter", o.adapter, true);
  if (o.out.empty()) {
    problems.emplace_back("--out: is missing");
  } else if (std::error_code error; fs::exists(o.out, error) && !fs::is_directory(o.out, error)) {
    problems.push_back(fmt::format("--out: {} is a file, a folder is needed", o.out.string()));
  } else if (!writable(o.out)) {
    problems.push_back(fmt::format("--out: {} cannot be written", o.out.string()));
  }
  std::error_code not_there;
  for (const auto& [flag, start] : {std::pair("--model", o.model), std::pair("--adapter", o.adapter)})
    if (!start.empty() && fs::equivalent(o.out, start, not_there))
      problems.push_back(
          fmt::format("--out: {} is the {} that is trained, which stays as it is; choose another folder",
                      o.out.string(), flag));
}

// The maps that a list such as "q_proj,v_proj" names; an error is added for what is none.
Projections projections_of(const std::string& list, std::vector<std::string>& problems) {
  std::vector<NamedProjection> known = {
      {Projections::all, "all"}, {Projections::attention, "attention"}, {Projections::mlp, "mlp"}};
  known.insert(known.end(), projection_names.begin(), projection_names.end());
  Projections out = Projections::none;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string name = list.substr(begin, end - begin);
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const NamedProjection& p) { return name == p.name; });
    begin = end + 1;
    if (found != known.end()) {
      out = out | found->projection;
      continue;
    }
    std::vector<std::string_view> names;
    for (const NamedProjection& p : known) names.emplace_back(p.name);
    problems.push_back(unknown_value("--lora-targets", name, names));
  }
  return out;
}

void check_adapters(const TrainCommandOptions& o, std::vector<std::string>& problems) {
  if (o.lora_rank < 0 || o.lora_rank > max_lora_rank)
    problems.push_back(
        fmt::format("--lora-rank: {} must be 0 or more, and at most {}", o.lora_rank, max_lora_rank));
  if (!(o.lora_alpha >= 0) || !std::isfinite(o.lora_alpha))
    problems.push_back(fmt::format("--lora-alpha: {} must be above 0, or 0", o.lora_alpha));
  projections_of(o.lora_targets, problems);
  if (!o.adapter.empty() && (o.lora_rank != 0 || o.lora_alpha != 0 || o.lora_targets != "all"))
    problems.push_back(fmt::format("{}: --adapter brings its own", o.lora_rank != 0    ? "--lora-rank"
                                                                   : o.lora_alpha != 0 ? "--lora-alpha"
                                                                                       : "--lora-targets"));
  else if (o.lora_rank == 0 && (o.lora_alpha != 0 || o.lora_targets != "all"))
    problems.push_back(fmt::format("{}: there are no adapters without --lora-rank",
                                   o.lora_alpha != 0 ? "--lora-alpha" : "--lora-targets"));
  if ((o.lora_rank > 0 || !o.adapter.empty()) && o.ref_model_sync_steps > 0)
    problems.emplace_back(
        "--ref-model-sync-steps: adapters are trained beside a model that stays, and so does the reference; "
        "leave it at 0, or train all weights");
}

void check_objective(const TrainCommandOptions& o, std::vector<std::string>& problems) {
  const ObjectiveEntry* entry = nullptr;
  try {
    entry = &find_objective(o.objective);
  } catch (const ArgumentError& error) {
    problems.push_back(std::string("--") + error.what());
  }
  const std::optional<TrainContext> context = find_train_context(o.context);
  if (!context || *context == TrainContext::longpo) {
    problems.push_back(
        unknown_value("--context", o.context, std::vector<std::string_view>{"short", "long", "expand"}));
  }
  if (!entry) return;
  if (o.where.on_cuda() && entry->statistic == Statistic::sequential_kl) {
    problems.push_back(fmt::format(
        "--device: {} compares whole distributions of two models, which is not done on a device; leave "
        "--device at cpu",
        entry->name));
  }
  if (!o.adapter.empty() && entry->statistic == Statistic::sequential_kl) {
    problems.push_back(fmt::format(
        "--adapter: the reference of {} would be the model without them; 'solopo merge' them first, and "
        "train new ones with --lora-rank",
        entry->name));
  }
  if (o.ref_model_sync_steps > 0 && !entry->needs_reference) {
    problems.push_back(fmt::format("--ref-model-sync-steps: {} has no reference model", entry->name));
  }
  if (o.long_gradient == "response" && !entry->needs_long_prompt) {
    problems.push_back(fmt::format("--long-gradient: {} has no long side that could be read; solopo:{} has",
                                   entry->name, entry->name));
  }
  if (o.passes == "two-pass") {
    if (!entry->needs_long_prompt) {
      problems.push_back(fmt::format("--passes: {} has one side, so there is one pass", entry->name));
    } else if (entry->statistic == Statistic::sequential_kl) {
      problems.push_back(
          fmt::format("--passes: {} compares with a reference on all of a record, together", entry->name));
    }
  }
  const auto check = [&](const ObjectiveOptions& options) {
    try {
      static_cast<void>(resolve_options(*entry, options));
    } catch (const ArgumentError& error) {
      std::string what = error.what();
      const std::size_t end = std::min(what.find(':'), what.size());
      std::replace(what.begin(), what.begin() + static_cast<std::ptrdiff_t>(end), '_', '-');
      problems.push_back("--" + what);
    }
  };
  // One by one, since resolve_options() stops at the first that is wrong; huber_delta goes with its distance.
  for (const auto& [name, value] : o.objective_options) {
    ObjectiveOptions one = {{name, value}};
    if (const auto distance = o.objective_options.find("distance");
        name == "huber_delta" && distance != o.objective_options.end())
      one.insert(*distance);
    check(one);
  }
  if (context && *context != TrainContext::short_prompt) {
    if (entry->needs_long_prompt) {
      problems.push_back(
          fmt::format("--context: {} reads both prompts itself, leave it at short", o.objective));
    }
    if (entry->policy_long_reference_short) {
      problems.push_back(fmt::format("--context: {} sets its own contexts, leave it at short", o.objective));
    }
  }
}

void check_numbers(const TrainCommandOptions& o, std::vector<std::string>& problems) {
  const auto require = [&](bool good, const char* flag, const std::string& value, const char* rule) {
    if (!good) problems.push_back(fmt::format("{}: {} must be {}", flag, value, rule));
  };
  const auto real = [&](const char* flag, double value, bool good, const char* rule) {
    require(good && std::isfinite(value), flag, fmt::format("{}", value), rule);
  };
  const auto whole = [&](const char* flag, std::int64_t value, std::int64_t least) {
    require(value >= least, flag, std::to_string(value), fmt::format("{} or more", least).c_str());
  };
  real("--lr", o.lr, o.lr > 0, "above 0");
  real("--warmup", o.warmup, o.warmup >= 0, "0 or more");
  real("--min-lr-ratio", o.min_lr_ratio, o.min_lr_ratio >= 0 && o.min_lr_ratio <= 1, "in [0, 1]");
  if (o.max_steps == 0) real("--epochs", o.epochs, o.epochs > 0, "above 0");
  whole("--max-steps", o.max_steps, 0);
  whole("--full-gradient-every", o.full_gradient_every, 0);
  whole("--ref-model-sync-steps", o.ref_model_sync_steps, 0);
  real("--ref-model-mixup-alpha", o.ref_model_mixup_alpha,
       o.ref_model_mixup_alpha > 0 && o.ref_model_mixup_alpha <= 1, "above 0 and at most 1");
  whole("--batch-size", o.batch_size, 1);
  real("--clip", o.clip, o.clip >= 0, "0 or more");
  real("--weight-decay", o.weight_decay, o.weight_decay >= 0, "0 or more");
  real("--adam-beta1", o.adam_beta1, o.adam_beta1 >= 0 && o.adam_beta1 < 1, "in [0, 1)");
  real("--adam-beta2", o.adam_beta2, o.adam_beta2 >= 0 && o.adam_beta2 < 1, "in [0, 1)");
  real("--adam-epsilon", o.adam_epsilon, o.adam_epsilon > 0, "above 0");
  require(o.max_length == 0 || o.max_length >= 2, "--max-length", std::to_string(o.max_length),
          "2 or more, or 0");
  whole("--max-bad", o.max_bad, 0);
  whole("--eval-every", o.eval_every, 1);
  whole("--save-every", o.save_every, 1);
  whole("--keep-last", o.keep_last, 1);
  whole("--threads", o.threads, 0);
  whole("--mlp-rows", o.mlp_rows, 0);
  if (o.mlp_rows > 0 && o.where.on_cuda()) problems.emplace_back("--mlp-rows: is for the CPU");
  real("--memory", o.memory, o.memory >= 0, "0 or more");
}

void check_names(const TrainCommandOptions& o, std::vector<std::string>& problems) {
  const auto check = [&](const char* flag, const std::string& value,
                         std::initializer_list<std::string_view> known) {
    one_of(flag, value, known, [&](const std::string& problem) { problems.push_back(problem); });
  };
  check("--long-gradient", o.long_gradient, {"full", "response"});
  check("--passes", o.passes, {"together", "two-pass", "auto"});
  if (o.full_gradient_every > 0 && o.long_gradient == "full")
    problems.emplace_back("--full-gradient-every: every step is full without --long-gradient response");
  check("--schedule", o.schedule, {"constant", "linear", "cosine"});
  check("--too-long", o.too_long, {"refuse", "drop", "middle"});
  check("--on-save-error", o.on_save_error, {"stop", "warn"});
  if (!o.chat_template.empty()) check("--template", o.chat_template, {"plain", "chatml", "llama3", "qwen"});
}

std::string token_line(const char* name, const std::vector<PreferenceRecord>& records,
                       std::vector<std::int32_t> PreferenceRecord::*member) {
  std::vector<std::size_t> counts;
  std::size_t sum = 0;
  for (const PreferenceRecord& record : records) {
    if ((record.*member).empty()) continue;
    counts.push_back((record.*member).size());
    sum += counts.back();
  }
  if (counts.empty()) return "";
  std::sort(counts.begin(), counts.end());
  const auto percentile = [&](std::size_t percent) {
    return counts[(counts.size() * percent + 99) / 100 - 1];
  };
  return fmt::format("  {:<12} tokens: min {}, median {}, p95 {}, max {}, sum {}\n", name, counts.front(),
                     percentile(50), percentile(95), counts.back(), sum);
}

}  // namespace

std::vector<std::string> train_option_problems(const TrainCommandOptions& options) {
  std::vector<std::string> problems;
  check_paths(options, problems);
  check_objective(options, problems);
  check_adapters(options, problems);
  check_numbers(options, problems);
  check_names(options, problems);
  check_device(options.where, [&](const std::string& problem) { problems.push_back(problem); });
  return problems;
}

std::size_t choose_max_length(std::int64_t wanted, const LlamaConfig& config) {
  const std::int64_t context = config.max_position_embeddings;
  if (wanted > context) {
    throw UsageError(
        fmt::format("--max-length: {} is past the model's context of {} tokens", wanted, context));
  }
  return static_cast<std::size_t>(wanted > 0 ? wanted : context);
}

TrainPlan make_train_plan(const TrainCommandOptions& o) {
  TrainPlan plan{.text = load_model_text(o.model),
                 .objective = {},
                 .lora = {},
                 .records = {},
                 .eval = {},
                 .trainer = {}};
  plan.text.chat = choose_template(o.chat_template, plan.text);
  plan.entry = &find_objective(o.objective);
  plan.objective = resolve_options(*plan.entry, o.objective_options);
  plan.context =
      plan.entry->policy_long_reference_short ? TrainContext::longpo : *find_train_context(o.context);
  plan.max_length = choose_max_length(o.max_length, plan.text.config);

  if (!o.adapter.empty()) plan.lora = load_lora(o.adapter, plan.text.config).config;
  if (o.lora_rank > 0) {
    std::vector<std::string> problems;
    plan.lora = LoraConfig{.rank = static_cast<std::int32_t>(o.lora_rank),
                           .alpha = o.lora_alpha > 0 ? o.lora_alpha : 2 * static_cast<double>(o.lora_rank),
                           .targets = projections_of(o.lora_targets, problems)};
  }

  const RecordEncoder encoder = record_encoder(plan.text.tokenizer, plan.text.chat);
  const RecordOptions reading{.needs = plan.entry->make(plan.entry->name, plan.objective).needs(),
                              .third = plan.entry->third,
                              .context = plan.context,
                              .max_length = plan.max_length,
                              .too_long = *find_too_long(o.too_long),
                              .keep_equal = o.keep_equal,
                              .max_bad = static_cast<std::size_t>(o.max_bad)};
  plan.records = read_records(o.data, encoder, reading);
  if (!o.eval_data.empty()) plan.eval = read_records(o.eval_data, encoder, reading);

  TrainerOptions& t = plan.trainer;
  t.batch_size = static_cast<std::size_t>(o.batch_size);
  t.length = run_length(plan.records.records.size(), t.batch_size, o.epochs, o.max_steps);
  t.schedule = {.peak = o.lr,
                .shape = *find_schedule_shape(o.schedule),
                .warmup_steps = 0,
                .steps = t.length.steps,
                .minimum_ratio = o.min_lr_ratio};
  try {
    t.schedule.warmup_steps = warmup_steps(o.warmup, t.length.steps);
  } catch (const ArgumentError& error) {
    throw UsageError(std::string("--") + error.what());
  }
  t.adamw = {.beta1 = o.adam_beta1,
             .beta2 = o.adam_beta2,
             .epsilon = o.adam_epsilon,
             .weight_decay = o.weight_decay};
  t.clip = o.clip;
  t.seed = o.seed;
  t.context = plan.context;
  t.share_prefix = o.share_prefix;
  // Each step full is `full`, and the reference is laid out so too.
  const bool full = o.long_gradient == "full" || o.full_gradient_every == 1;
  t.long_gradient = full ? LongGradient::full : LongGradient::response;
  t.full_gradient_every = full ? 0 : o.full_gradient_every;
  t.passes = o.passes == "two-pass" ? Passes::short_side_first : Passes::one;
  t.reference_update = {.every = o.ref_model_sync_steps, .mixup = o.ref_model_mixup_alpha};
  t.eval_every = o.eval_data.empty() ? 0 : o.eval_every;
  t.save_every = o.save_every;
  t.keep_last = static_cast<std::size_t>(o.keep_last);
  t.save_failure = o.on_save_error == "warn" ? SaveFailure::warn : SaveFailure::stop;
  t.folder = o.out;
  t.resume = o.resume;
  t.allow_change = o.allow_change;
  t.lock = false;
  return plan;
}

std::int64_t library_pairs_of(const TrainPlan& plan) {
  const std::vector<PreferenceRecord>& records = plan.records.records;
  const CollateOptions layout = layout_of(plan, plan.entry->make(plan.entry->name, plan.objective));
  const double times = static_cast<double>(plan.trainer.length.places) / static_cast<double>(records.size());
  cuda::LibraryUses uses;
  for (const PreferenceRecord& record : records)
    for (const Collated& batch : collate_passes(record, layout, Side::policy))
      uses.add(batch.sequences, times);
  const LlamaConfig& c = plan.text.config;
  constexpr double flops = 14;  // of a pair and layer, per column of the queries
  return uses.least(flops * c.query_width() * c.num_hidden_layers);
}

std::string describe_options(const TrainCommandOptions& o, const TrainPlan& plan) {
  std::string out;
  const auto line = [&](const char* key, const auto& value) { out += fmt::format("{}: {}\n", key, value); };
  // JSON's strings are YAML's too.
  const auto path = [&](const char* key, const std::filesystem::path& value) {
    const std::string text = value.string();
    const bool plain =
        text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") ==
            text.npos &&
        text.front() != '-';
    line(key, plain ? text : io::Json(path_text(value)).dump());
  };
  path("model", o.model);
  path("data", o.data);
  path("out", o.out);
  if (!o.eval_data.empty()) path("eval_data", o.eval_data);
  line("max_bad", o.max_bad);
  line("template", text::name_of(plan.text.chat.kind));
  line("objective", plan.entry->name);
  line("context", o.context);
  for (const auto& [name, value] : plan.objective) line(name.c_str(), value.text());
  if (plan.entry->needs_long_prompt) {
    line("long_gradient", o.long_gradient);
    line("full_gradient_every", o.full_gradient_every);
    line("passes", passes_name(plan.trainer.passes));
  }
  if (plan.entry->needs_reference) {
    line("ref_model_sync_steps", o.ref_model_sync_steps);
    line("ref_model_mixup_alpha", o.ref_model_mixup_alpha);
  }
  if (!o.adapter.empty()) {
    path("adapter", o.adapter);
  } else {
    line("lora_rank", o.lora_rank);
  }
  if (o.lora_rank > 0) {
    line("lora_alpha", plan.lora->alpha);
    line("lora_targets", o.lora_targets);
  }
  line("lr", o.lr);
  line("schedule", o.schedule);
  line("warmup", plan.trainer.schedule.warmup_steps);
  line("min_lr_ratio", o.min_lr_ratio);
  // Steps that come from epochs end with a batch of what is left.
  if (o.max_steps > 0) {
    line("max_steps", o.max_steps);
  } else {
    line("epochs", o.epochs);
    out += fmt::format("# steps: {}\n", plan.trainer.length.steps);
  }
  line("batch_size", o.batch_size);
  line("clip", o.clip);
  line("weight_decay", o.weight_decay);
  line("adam_beta1", o.adam_beta1);
  line("adam_beta2", o.adam_beta2);
  line("adam_epsilon", o.adam_epsilon);
  line("seed", o.seed);
  line("max_length", plan.max_length);
  line("too_long", o.too_long);
  line("keep_equal", o.keep_equal);
  if (!o.eval_data.empty()) line("eval_every", o.eval_every);
  line("save_every", o.save_every);
  line("keep_last", o.keep_last);
  line("on_save_error", o.on_save_error);
  line("recompute", o.recompute);
  if (!o.where.on_cuda()) line("mlp_rows", o.mlp_rows);
  line("share_prefix", o.share_prefix);
  line("threads", o.threads);
  line("memory", o.memory);
  line("device", o.where.device);
  if (o.where.on_cuda() || o.where.is_bf16()) line("dtype", o.where.dtype_name());
  if (o.where.on_cuda()) line("deterministic", o.where.deterministic);
  return out;
}

std::string describe_records(const std::string& name, const RecordFile& file) {
  const RecordCounts& c = file.counts;
  std::string out = fmt::format("{}: {} records of {}", name, c.kept, c.lines);
  const auto add = [&](std::size_t count, const char* what) {
    if (count > 0) out += fmt::format(", {} {}", count, what);
  };
  add(c.bad, "unreadable left out");
  add(c.equal, "dropped (chosen equals rejected)");
  add(c.too_long, "dropped (too long)");
  add(c.no_room, "dropped (too long, nothing left to cut)");
  add(c.cut, "cut in the middle of the context");
  add(c.split, "lines of two responses read as two records");
  add(c.gold_chosen, "with the gold answer as chosen");
  add(c.unfinished, "with an unfinished answer");
  out += "\n";
  if (c.edge_merges > 0) {
    out += fmt::format("  {} records would encode otherwise if prompt and response were one text\n",
                       c.edge_merges);
  }
  for (const std::string& note : file.notes) out += "  " + note + "\n";
  out += token_line("prompt", file.records, &PreferenceRecord::prompt);
  out += token_line("prompt_long", file.records, &PreferenceRecord::prompt_long);
  out += token_line("chosen", file.records, &PreferenceRecord::chosen);
  out += token_line("rejected", file.records, &PreferenceRecord::rejected);
  return out;
}

}  // namespace solopo::cli
