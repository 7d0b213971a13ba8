#include "data_sample.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <set>
#include <utility>

#include "answer_match.hpp"
#include "context_record.hpp"
#include "manifest.hpp"
#include "progress.hpp"
#include "prompt_model.hpp"
#include "record_slices.hpp"
#include "solopo/core/random.hpp"
#include "solopo/io/jsonl.hpp"
#include "solopo/io/sha256.hpp"
#include "unfinished_work.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

constexpr std::string_view replacement_character =
    "\xef\xbf\xbd";  // where sampled tokens are no whole characters

bool is_empty(const SampledAnswer& answer) { return trim_json_blanks(answer.text).empty(); }
bool is_text(const SampledAnswer& answer) {
  return answer.text.find(replacement_character) == std::string::npos &&
         answer.text.find('\0') == std::string::npos;  // no record may hold it
}

void check(const SampleOptions& options) {
  if (options.from != "short" && options.from != "long")
    throw UsageError("--from '" + printable(options.from) + "': there are short, long");
  if (options.n < 1) throw UsageError("--n must be at least 1");
  if (!(options.temperature >= 0) || std::isinf(options.temperature))
    throw UsageError("--temperature must be finite and not negative");
  if (options.max_new_tokens < 1) throw UsageError("--max-new-tokens must be at least 1");
  if (options.limit < 0) throw UsageError("--limit cannot be negative");
  check_device(options.where, [](const std::string& problem) { throw UsageError(problem); });
  check_prompt_format(options.prompt);
}

// What one question gave: a line of the partial file.
struct Outcome {
  std::int64_t samples = 0, correct = 0, empty = 0, cut = 0;
  std::string why{};  // no record: the reason
  io::Json record{};  // null without one
};

io::Json to_json(const Outcome& outcome) {
  return {{"samples", outcome.samples}, {"correct", outcome.correct}, {"empty", outcome.empty},
          {"cut", outcome.cut},         {"why", outcome.why},         {"record", outcome.record}};
}

Outcome outcome_from_json(const io::Json& json) {
  return {.samples = json.at("samples").get<std::int64_t>(),
          .correct = json.at("correct").get<std::int64_t>(),
          .empty = json.at("empty").get<std::int64_t>(),
          .cut = json.at("cut").get<std::int64_t>(),
          .why = json.at("why").get<std::string>(),
          .record = json.at("record")};
}

Outcome outcome_of(const ContextRecord& context, const SampleOptions& options,
                   std::span<const SampledAnswer> answers) {
  const std::uint64_t stream = hash_name(context.id);
  if (answers.empty()) return {.why = "prompt past the model's context"};

  Outcome out{.samples = static_cast<std::int64_t>(answers.size())};
  for (const SampledAnswer& answer : answers) {
    out.correct += contains_answer(answer.text, context.answers);
    out.empty += is_empty(answer);
    out.cut += !answer.finished;
  }
  const auto pair = choose_pair(answers, context.answers, options, stream, out.why);
  if (pair) {
    out.record = {{"id", context.id},
                  {"prompt_short", cli::to_json(context.prompt_short)},
                  {"prompt_long", cli::to_json(context.prompt_long)},
                  {"chosen", pair->chosen.text},
                  {"rejected", pair->rejected.text},
                  {"chosen_finished", pair->chosen.finished},
                  {"rejected_finished", pair->rejected.finished},
                  {"sampled_from", options.from},
                  {"gold_chosen", pair->gold_chosen},
                  {"question", context.question},
                  {"answers", context.answers}};
  }
  return out;
}

// The outcomes of the next questions, in order.
std::vector<Outcome> sample_together(std::span<const ContextRecord> contexts, const SampleOptions& options,
                                     const AnswerSampler& sampler) {
  std::vector<SampleRequest> requests;
  for (const ContextRecord& context : contexts) {
    if (is_yes_no(context.answers)) continue;
    requests.push_back({.prompt = options.from == "short" ? context.prompt_short : context.prompt_long,
                        .stream = hash_name(context.id)});
  }
  const auto answers = sampler(requests);
  std::vector<Outcome> out;
  std::size_t next = 0;
  for (const ContextRecord& context : contexts) {
    if (is_yes_no(context.answers))
      out.push_back({.why = "yes/no answer"});
    else
      out.push_back(outcome_of(context, options, answers[next++]));
  }
  return out;
}

io::Json options_json(const SampleOptions& options) {
  return {{"template", options.template_name},
          {"from", options.from},
          {"n", options.n},
          {"temperature", options.temperature},
          {"max_new_tokens", options.max_new_tokens},
          {"seed", options.seed},
          {"gold_chosen", options.gold_chosen},
          {"finished_only", options.finished_only},
          {"answer_format", options.prompt.answer}};
}

}  // namespace

std::size_t questions_together(std::int32_t n, const DeviceOptions& where) {
  return static_cast<std::size_t>(std::max(1, rows_together(where) / std::max(n, 1)));
}

std::optional<SampledPair> choose_pair(std::span<const SampledAnswer> answers,
                                       std::span<const std::string> gold, const SampleOptions& options,
                                       std::uint64_t stream, std::string& why) {
  const SampledAnswer* chosen = nullptr;
  bool any_correct = false;
  std::set<std::string> seen;
  std::vector<const SampledAnswer*> wrong;
  for (const SampledAnswer& answer : answers) {
    if (is_empty(answer) || !is_text(answer)) continue;
    if (contains_answer(answer.text, gold)) {
      any_correct = true;
      if (!answer.finished && options.finished_only) continue;
      if (chosen == nullptr || answer.text.size() < chosen->text.size()) chosen = &answer;
    } else if (seen.emplace(trim_json_blanks(answer.text)).second) {
      wrong.push_back(&answer);
    }
  }
  if (!options.gold_chosen && chosen == nullptr) {
    why = any_correct ? "no finished correct answer" : "no correct answer";
    return std::nullopt;
  }
  if (wrong.empty()) {
    why = "no wrong answer";
    return std::nullopt;
  }
  return SampledPair{
      .chosen =
          options.gold_chosen ? SampledAnswer{.text = render_answer(options.prompt, gold.front())} : *chosen,
      .rejected = *wrong[RandomStream(options.seed, "rejected answer", stream).below(wrong.size())],
      .gold_chosen = options.gold_chosen};
}

SampleResult run_data_sample(const SampleOptions& options, const AnswerSampler& sampler,
                             const std::string& model_key, std::ostream& log,
                             const std::function<bool()>& stop) {
  check(options);
  const ContextFile contexts = read_contexts(options.in);
  { io::JsonlWriter writable(options.out); }  // a path that cannot be written shows before the work

  const io::Json identity = {
      {"options", options_json(options)}, {"input", contexts.sha256}, {"model", model_key}};
  std::vector<Outcome> outcomes;
  UnfinishedWork work(options.out, "data sample", io::sha256_hex(identity.dump()),
                      [&](const io::Json& piece) { outcomes.push_back(outcome_from_json(piece)); });
  if (!outcomes.empty())
    log << work.path().string() << ": going on after " << outcomes.size() << " questions\n";

  SampleResult result;
  Outcome sums;
  std::vector<const io::Json*> records;
  // Counts what is still to do in this run: records when their number is limited, else questions.
  std::int64_t known_records = 0;
  for (const Outcome& outcome : outcomes) known_records += !outcome.record.is_null();
  const std::int64_t left = options.limit > 0
                                ? options.limit - known_records
                                : static_cast<std::int64_t>(contexts.records.size() - outcomes.size());
  Progress progress(log, options.terminal, "data sample", left);
  const std::size_t known = outcomes.size(), together = questions_together(options.n, options.where);
  outcomes.reserve(contexts.records.size());  // `records` points into it
  for (std::size_t i = 0; i < contexts.records.size(); ++i) {
    if (options.limit > 0 && result.written == options.limit) break;
    if (i >= outcomes.size()) {
      if (stop && stop()) {
        result.interrupted = true;
        return result;
      }
      const std::span<const ContextRecord> rest = std::span(contexts.records).subspan(i);
      for (Outcome& outcome :
           sample_together(rest.first(std::min(together, rest.size())), options, sampler)) {
        work.add(to_json(outcome));
        outcomes.push_back(std::move(outcome));
      }
    }
    const Outcome& outcome = outcomes[i];
    ++result.questions;
    if (outcome.record.is_null()) {
      ++result.dropped[outcome.why];
    } else {
      records.push_back(&outcome.record);
      ++result.written;
    }
    sums.samples += outcome.samples, sums.correct += outcome.correct, sums.empty += outcome.empty,
        sums.cut += outcome.cut;
    if (i >= known) {
      const auto asked = static_cast<std::int64_t>(i + 1 - known);
      progress.update(
          options.limit > 0 ? result.written - known_records : asked,
          std::to_string(result.written) + " records from " + std::to_string(i + 1) + " questions");
    }
  }

  progress.clear();
  log << options.in.string() << ": " << result.questions << " questions asked, " << sums.samples
      << " answers, " << sums.correct << " correct, " << sums.empty << " empty, " << sums.cut << " cut at "
      << options.max_new_tokens << " tokens\n";
  for (const auto& [reason, count] : result.dropped) log << "  dropped: " << reason << ": " << count << "\n";
  if (records.empty())
    throw DataError("nothing_left", {.file = options.in.string(), .field = {}},
                    "no question gave a pair of answers");

  io::JsonlWriter out(options.out, {.digest = true});
  for (const io::Json* record : records) out.write(*record);
  remove_manifest(options.out);
  const io::WrittenFile written = out.commit();
  io::Json settings = options_json(options);
  settings["limit"] = options.limit;
  settings["device"] = options.where.device;
  settings["dtype"] = options.where.dtype_name();
  write_manifest(
      options.out,
      {{"command", "data sample"},
       {"options", settings},
       {"model", {{"path", name_of_model(options.model, options.adapter)}, {"key", model_key}}},
       {"contexts",
        {{"file", options.in.string()}, {"sha256", contexts.sha256}, {"records", contexts.records.size()}}},
       {"questions", result.questions},
       {"written", result.written},
       {"dropped", result.dropped},
       {"answers",
        {{"sampled", sums.samples}, {"correct", sums.correct}, {"empty", sums.empty}, {"cut", sums.cut}}},
       {"output_sha256", written.sha256}});
  work.finish();
  log << options.out.string() << ": " << result.written << " records\n";
  return result;
}

}  // namespace solopo::cli
