#include "score_command.hpp"

#include <memory>
#include <optional>

#include "choose_template.hpp"
#include "cpu_model.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/pair_pass.hpp"
#include "train_plan.hpp"
#include "train_progress.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

void check(const ScoreCommandOptions& o) {
  std::vector<std::string> problems;
  const auto need = [&](const char* flag, const std::filesystem::path& path) {
    std::error_code error;
    if (path.empty() || !std::filesystem::exists(path, error)) {
      problems.push_back(fmt::format("{}: there is no '{}'", flag, path.string()));
    }
  };
  need("--model", o.model);
  if (!o.adapter.empty()) need("--adapter", o.adapter);
  need("--in", o.in);
  if (o.out.empty()) problems.emplace_back("--out: is missing");
  if (!find_too_long(o.too_long)) {
    problems.push_back(
        unknown_value("--too-long", o.too_long, std::vector<std::string_view>{"refuse", "drop", "middle"}));
  }
  if (o.max_length != 0 && o.max_length < 2) problems.emplace_back("--max-length: must be 2 or more, or 0");
  if (o.max_bad < 0) problems.emplace_back("--max-bad: must be 0 or more");
  if (o.threads < 0) problems.emplace_back("--threads: must be 0 or more");
  check_device(o.where, [&](const std::string& problem) { problems.push_back(problem); });
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "\n")));
}

}  // namespace

int run_score(const ScoreCommandOptions& options, const Console& console) {
  check(options);
  require_device(options.where);
  kernels::set_thread_count(static_cast<int>(options.threads));
  const ModelText text = [&] {
    ModelText read = load_model_text(options.model);
    read.chat = choose_template(options.chat_template, read);
    return read;
  }();
  constexpr Needs pair = Needs::chosen | Needs::rejected;
  const RecordFile file = read_records(options.in, record_encoder(text.tokenizer, text.chat),
                                       {.needs = pair,
                                        .max_length = choose_max_length(options.max_length, text.config),
                                        .too_long = *find_too_long(options.too_long),
                                        .keep_equal = true,
                                        .read_extra = true,
                                        .max_bad = static_cast<std::size_t>(options.max_bad)});
  TrainProgress progress(console);
  console.log << describe_records(options.in.string(), file) << std::flush;
  io::JsonlWriter out(options.out);

  const LanguageModel model = load_model(options.model, options.adapter);
  std::optional<CpuModel> on_cpu;
  std::unique_ptr<cuda::DeviceSession> on_device;
  if (options.where.on_cuda()) {
    on_device = device_plugin().open(
        model.weights, nullptr,
        {.storage = options.where.storage(), .library_pairs = cuda::never_library, .trains = false});
  } else {
    on_cpu.emplace(model.weights);
  }
  for (std::size_t i = 0; i < file.records.size(); ++i) {
    if (console.stop_signal && console.stop_signal->load() != 0) return 128 + console.stop_signal->load();
    const PreferenceRecord& record = file.records[i];
    const Needs needs = record.prompt_long.empty() ? pair : pair | Needs::chosen_long | Needs::rejected_long;
    const Collated batch = collate(record, {.needs = needs}, Side::policy);
    const std::vector<float> logps = on_cpu ? on_cpu->response_logps(batch.sequences)
                                            : on_device->response_logps(batch.sequences, Statistic::none);
    io::Json line = file.lines[i];
    for (const ResponsePart& part : batch.parts) {  // one a role: no statistic is asked for
      const unsigned r = part.role;
      const float logp = logps[part.index];
      const std::string name = response_roles[r].name;
      if (!std::isfinite(logp)) {
        throw NonFiniteError("log-probability of " + name + " of record '" + printable(record.id) + "' is " +
                             std::to_string(logp));
      }
      const bool is_long = has_any(long_roles, response_roles[r].response);
      line["ref_" + (is_long ? std::string(response_roles[r - 2].name) + "_logps_long" : name + "_logps")] =
          logp;
    }
    line["chosen_tokens"] = record.chosen.size();
    line["rejected_tokens"] = record.rejected.size();
    out.write(line);
    progress.count("scored", i + 1, file.records.size());
  }
  out.commit();
  progress.say(fmt::format("scored {} records; written to {}", file.records.size(), options.out.string()));
  return 0;
}

}  // namespace solopo::cli
