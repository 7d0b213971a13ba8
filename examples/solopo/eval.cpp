#include "eval.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>
#include <utility>

#include "answer_match.hpp"
#include "choose_template.hpp"
#include "context_builder.hpp"
#include "eval_summary.hpp"
#include "manifest.hpp"
#include "path_text.hpp"
#include "progress.hpp"
#include "prompt_model.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/sha256.hpp"
#include "solopo/io/utf8.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/model/decoder.hpp"
#include "solopo/model/language_model.hpp"
#include "solopo/train/process_memory.hpp"
#include "unfinished_work.hpp"
#include "usage_error.hpp"
#include "version.hpp"

namespace solopo::cli {
namespace {

// One prompt to answer.
struct Task {
  std::size_t question = 0;  // place in EvalResult::questions
  std::vector<std::int32_t> prompt;
};

void check(const EvalOptions& options) {
  std::string problems;
  const auto problem = [&](const std::string& text) { problems += (problems.empty() ? "" : "\n") + text; };
  if (options.lengths.empty()) problem("--lengths needs at least one length");
  for (std::size_t i = 0; i < options.lengths.size(); ++i) {
    if (options.lengths[i] < 0) problem("--lengths: a length cannot be negative");
    if (std::count(options.lengths.begin(), options.lengths.end(), options.lengths[i]) > 1)
      problem("--lengths: " + std::to_string(options.lengths[i]) + " stands there twice");
  }
  if (options.questions.size() != 1 && options.questions.size() != options.lengths.size()) {
    problem(fmt::format("--questions has {} numbers for {} lengths; give one, or one for each",
                        options.questions.size(), options.lengths.size()));
  }
  for (const std::int64_t n : options.questions) {
    if (n < 1) problem("--questions must be at least 1");
  }
  if (options.max_new_tokens < 1) problem("--max-new-tokens must be at least 1");
  if (options.threads < 0) problem("--threads cannot be negative");
  check_device(options.where, problem);
  if (!options.split.by.empty() && !options.split_from.empty())
    problem("--split-by and --split-from exclude each other");
  if (!problems.empty()) throw UsageError(problems);
}

std::int64_t questions_at(const EvalOptions& options, std::size_t i) {
  return options.questions[options.questions.size() == 1 ? 0 : i];
}

// The machine, and the device where the model runs on one.
io::Json machine_of(const DeviceOptions& where) {
  io::Json out = machine_info();
  if (where.on_cuda()) out["device"] = device_plugin().info().name;
  if (where.on_cuda() || where.is_bf16()) out["dtype"] = where.dtype_name();
  return out;
}

io::Json settings_of(const EvalOptions& options, const ReadReport& report, double own_share) {
  io::Json depths = nullptr;
  if (!options.depths.empty()) depths = options.depths;
  io::Json split = nullptr;
  if (!options.split_from.empty())
    split = {{"from", path_text(options.split_from)}, {"part", options.split.part}};
  if (!options.split.by.empty()) {
    split = {{"by", options.split.by},
             {"train", options.split.train},
             {"test", options.split.test},
             {"part", options.split.part}};
  }
  return {{"qa", path_text(options.qa)},
          {"qa_sha256", report.sha256},
          {"format", options.format},
          {"template", options.template_name.empty() ? "the model's own" : options.template_name},
          {"split", split},
          {"distractors", path_text(options.distractors)},
          {"pooled", options.pooled},
          {"own_share", own_share},
          {"longest_distractor", options.longest_distractor},
          {"lengths", options.lengths},
          {"questions", options.questions},
          {"depths", depths},
          {"seed", options.seed},
          {"max_new_tokens", options.max_new_tokens},
          {"prompt_format", to_json(options.prompt)}};
}

std::vector<Question> chosen_questions(QaFile& file, const EvalOptions& options) {
  if (options.split_from.empty()) return select_split(std::move(file.questions), options.split);
  const Split split = read_split(options.split_from);
  return select_groups(std::move(file.questions), options.split.part == "train" ? split.train : split.test);
}

int stopped(const Console& console, const std::optional<UnfinishedWork>& work) {
  console.log << (work ? "stopped; the same command goes on from " + work->path().string() + "\n"
                       : "stopped; nothing was written\n");
  return console.stopped_code();
}

// Puts the rows of a piece that was done before into their places, done[l] of each length l being there.
void take_piece(const EvalPiece& piece, const std::string& file, EvalResult& result,
                std::vector<std::size_t>& done) {
  const auto refuse = [&](const std::string& reason) {
    throw DataError("field", {.file = file, .field = {}}, reason + "; remove the file to start anew");
  };
  const auto length = std::find_if(result.lengths.begin(), result.lengths.end(),
                                   [&](const EvalLength& l) { return l.length == piece.length; });
  if (length == result.lengths.end()) refuse("a length was not asked for");
  std::size_t& place = done[static_cast<std::size_t>(length - result.lengths.begin())];
  for (const EvalRow& row : piece.rows) {
    if (place == length->rows.size() || length->rows[place].id != row.id)
      refuse("question '" + printable(row.id) + "' does not come next");
    length->rows[place++] = row;
  }
  length->seconds += piece.seconds;
}

// What an unfinished evaluation must agree in: everything that its rows depend on.
std::string work_key(const EvalOptions& options, const EvalResult& result) {
  io::Json key = {{"settings", result.settings},
                  {"machine", result.machine},
                  {"model", model_files_digest(options.model, options.adapter)}};
  for (const EvalLength& length : result.lengths) key["contexts"].push_back(length.contexts_sha256);
  return io::sha256_hex(key.dump());
}

// The answers of a model. Questions are asked a few together: one reading of the weights serves a token of
// each, and the answers are those of questions asked one by one.
class Examiner {
 public:
  Examiner(const LanguageModel& model, const text::ChatTemplate& chat, const EvalOptions& options)
      : model_(model),
        options_(options),
        end_(text::end_of_turn(model.tokenizer, chat)),
        decoder_(make_decoder(model.weights, options.where)) {}

  // How many of the next tasks are asked together.
  [[nodiscard]] std::size_t group_size(std::span<const Task> next) const {
    const auto most_tasks = static_cast<std::size_t>(rows_together(options_.where) / 2);
    std::size_t n = 0, tokens = 0;
    while (n < std::min(most_tasks, next.size()) &&
           (n == 0 || tokens + next[n].prompt.size() <= prompt_tokens_together))
      tokens += next[n++].prompt.size();
    return n;
  }

  // rows[i] takes the answer to tasks[i].
  void ask(std::span<const Task> tasks, const std::vector<EvalQuestion>& questions, std::span<EvalRow> rows) {
    decoder_.clear();
    for (const Task& task : tasks) decoder_.add_prompt(task.prompt);
    const GenerateOptions greedy{.max_new_tokens = options_.max_new_tokens, .stop_tokens = {end_}};
    const auto answers = decoder_.generate_all(std::vector<GenerateOptions>(tasks.size(), greedy));
    for (std::size_t i = 0; i < tasks.size(); ++i)
      grade(answers[i].front(), i, questions[tasks[i].question], rows[i]);
  }

 private:
  void grade(const Generated& answer, std::size_t prompt, const EvalQuestion& question, EvalRow& row) {
    row.answer = model_.tokenizer.decode(answer.tokens);
    row.finished = answer.stopped;
    row.correct = contains_answer(row.answer, question.answers);
    const std::vector<std::int32_t> gold = gold_response(question);
    row.gold_tokens = static_cast<std::int64_t>(gold.size());
    row.gold_logp_per_token = decoder_.response_logp(gold, prompt) / static_cast<double>(gold.size());
    if (!std::isfinite(row.gold_logp_per_token)) {
      throw NonFiniteError(options_.model.string() + ": the log-probability of the answer to question '" +
                           printable(question.id) +
                           "' is not finite; are there NaN weights? See 'solopo inspect'");
    }
  }

  [[nodiscard]] std::vector<std::int32_t> gold_response(const EvalQuestion& question) const {
    std::vector<std::int32_t> ids =
        model_.tokenizer.encode(render_answer(options_.prompt, question.answers.front()));
    ids.push_back(end_);
    return ids;
  }
  const LanguageModel& model_;
  const EvalOptions& options_;
  std::int32_t end_;
  AnyDecoder decoder_;
};

}  // namespace

int run_eval(const EvalOptions& given, const Console& console) {
  check(given);
  EvalOptions options = given;
  // Lengths ascend; the numbers of questions go with them.
  std::vector<std::pair<std::int64_t, std::int64_t>> plan;
  for (std::size_t i = 0; i < given.lengths.size(); ++i)
    plan.emplace_back(given.lengths[i], questions_at(given, i));
  std::sort(plan.begin(), plan.end());
  options.lengths.clear();
  options.questions.clear();
  for (const auto& [length, questions] : plan) {
    options.lengths.push_back(length);
    options.questions.push_back(questions);
  }
  require_device(options.where);
  if (options.threads > 0) kernels::set_thread_count(static_cast<int>(options.threads));
  std::optional<io::AtomicFile> file_out;  // a path that cannot be written shows before the work
  if (!options.out.empty()) file_out.emplace(options.out);

  const ModelText text = load_model_text(options.model);
  const text::ChatTemplate chat = choose_template(options.template_name, text);
  const std::int64_t context = text.config.max_position_embeddings;
  std::string too_long;
  for (const std::int64_t length : options.lengths) {
    if (length + options.max_new_tokens > context)
      too_long += (too_long.empty() ? "" : ", ") + std::to_string(length);
  }
  if (!too_long.empty()) {
    throw UsageError(fmt::format("--lengths {}: with {} new tokens this is past the {} tokens that {} reads",
                                 too_long, options.max_new_tokens, context, options.model.string()));
  }

  QaFile qa = load_questions(options.qa, parse_qa_format(options.format), options.read, console.log);
  const double own_share = options.own_share.value_or(default_own_share(parse_qa_format(options.format)));
  EvalResult result{.model = name_of_model(options.model, options.adapter),
                    .command = io::replace_invalid_utf8(options.command).text,
                    .settings = settings_of(options, qa.report, own_share),
                    .machine = machine_of(options.where),
                    .questions = {},
                    .lengths = {}};
  const std::vector<Question> questions = seeded_order(chosen_questions(qa, options), options.seed);
  std::vector<Paragraph> extra;
  if (!options.distractors.empty()) extra = read_distractors(options.distractors);
  ContextBuilder builder(questions, extra, token_counter(text.tokenizer, chat),
                         {.seed = options.seed,
                          .depths = options.depths,
                          .pooled = options.pooled,
                          .own_share = own_share,
                          .longest_distractor = options.longest_distractor,
                          .format = options.prompt});

  // All contexts, before the weights are loaded.
  std::int64_t smallest = 0, wanted = 0, left_out = 0;
  for (const std::int64_t length : options.lengths) {
    if (length > 0 && (smallest == 0 || length < smallest)) smallest = length;
  }
  for (const std::int64_t n : options.questions) wanted = std::max(wanted, n);
  std::vector<std::vector<Task>> tasks(options.lengths.size());
  std::vector<io::Sha256> digests(options.lengths.size());
  std::vector<std::int64_t> short_of(options.lengths.size(), 0);
  for (const std::int64_t length : options.lengths)
    result.lengths.push_back({.length = length, .contexts_sha256 = "", .rows = {}});
  for (const Question& question : questions) {
    const auto place = static_cast<std::int64_t>(result.questions.size());
    if (place == wanted) break;
    if (console.stopping()) return stopped(console, std::nullopt);
    const std::optional<Context> evidence = builder.build(question, 0);
    const std::int64_t limit = smallest > 0 ? smallest : context - options.max_new_tokens;
    if (!evidence || evidence->tokens > limit) {
      ++left_out;
      continue;
    }
    for (std::size_t l = 0; l < options.lengths.size(); ++l) {
      if (place >= options.questions[l]) continue;
      const std::optional<Context> built = builder.build(question, options.lengths[l]);
      if (!built)
        throw Error("question '" + printable(question.id) + "' fits a shorter context, but not this one");
      short_of[l] += options.lengths[l] > 0 && 10 * built->tokens < 8 * options.lengths[l];
      Task task{.question = static_cast<std::size_t>(place),
                .prompt = text::encode_chat(text.tokenizer, chat, built->prompt, true)};
      digests[l].update(task.prompt.data(), task.prompt.size() * sizeof(std::int32_t));
      EvalRow row{.id = question.id,
                  .length = options.lengths[l],
                  .tokens = static_cast<std::int64_t>(task.prompt.size()),
                  .depth = std::nullopt,
                  .answer = ""};
      if (built->distractors > 0) row.depth = built->depth;
      result.lengths[l].rows.push_back(std::move(row));
      tasks[l].push_back(std::move(task));
    }
    result.questions.push_back(
        {.id = question.id, .question = question.question, .answers = question.answers});
  }
  if (result.questions.empty()) {
    throw DataError("nothing_left", {.file = options.qa.string(), .field = {}},
                    "no question's evidence fits the shortest length");
  }
  if (left_out > 0)
    console.log << "left out: " << left_out << " questions whose evidence is over "
                << (smallest > 0 ? smallest : context) << " tokens\n";
  for (std::size_t l = 0; l < options.lengths.size(); ++l) {
    const auto have = static_cast<std::int64_t>(result.lengths[l].rows.size());
    result.lengths[l].contexts_sha256 = digests[l].hex();
    if (have < options.questions[l])
      console.log << "warning: length " << length_label(options.lengths[l]) << " has " << have
                  << " questions, " << options.questions[l] << " were asked for\n";
    if (short_of[l] > 0)
      console.log << "warning: length " << length_label(options.lengths[l]) << ": " << short_of[l] << " of "
                  << have << " contexts are under 80 % of it, since there are not enough distractors\n";
  }

  std::optional<EvalResult> against;
  if (!options.against.empty()) {
    against = read_eval(options.against);
    require_comparable(*against, options.against.string(), result, result.model);
  }

  std::vector<std::size_t> done(tasks.size(), 0);
  std::optional<UnfinishedWork> work;
  if (file_out) {
    work.emplace(options.out, "eval", work_key(options, result), [&](const io::Json& piece) {
      const std::string file = options.out.string() + ".partial";
      take_piece(read_piece(piece, file), file, result, done);
    });
    if (const std::size_t n = std::accumulate(done.begin(), done.end(), std::size_t{0}); n > 0)
      console.log << work->path().string() << ": going on after " << n << " answers\n";
  }

  const LanguageModel model = load_model(options.model, options.adapter);
  Examiner examiner(model, chat, options);
  std::int64_t tokens_left = 0, tokens_done = 0;
  for (std::size_t l = 0; l < tasks.size(); ++l) {
    for (const EvalRow& row : std::span(result.lengths[l].rows).subspan(done[l])) tokens_left += row.tokens;
  }
  Progress progress(console.log, console.terminal, "eval, tokens", tokens_left);
  for (std::size_t l = 0; l < tasks.size(); ++l) {
    const std::span<const Task> all(tasks[l]);
    const std::span<EvalRow> rows(result.lengths[l].rows);
    std::int64_t correct = std::count_if(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(done[l]),
                                         [](const EvalRow& row) { return row.correct; });
    for (std::size_t i = done[l]; i < all.size();) {
      if (console.stopping()) {
        progress.clear();
        return stopped(console, work);
      }
      const double begin = progress.seconds();
      const std::size_t n = examiner.group_size(all.subspan(i));
      examiner.ask(all.subspan(i, n), result.questions, rows.subspan(i, n));
      const EvalPiece piece{.length = options.lengths[l],
                            .seconds = progress.seconds() - begin,
                            .rows = {rows.begin() + static_cast<std::ptrdiff_t>(i),
                                     rows.begin() + static_cast<std::ptrdiff_t>(i + n)}};
      if (work) work->add(to_json(piece));
      for (const EvalRow& row : piece.rows) {
        correct += row.correct;
        tokens_done += row.tokens;
      }
      result.lengths[l].seconds += piece.seconds;
      i += n;
      progress.update(tokens_done,
                      fmt::format("length {}: {}/{} correct", length_label(options.lengths[l]), correct, i));
    }
    result.seconds += result.lengths[l].seconds;
  }
  result.peak_memory_bytes = peak_process_bytes();
  progress.clear();

  io::Json json = to_json(result);
  print_summary(result, console.out);
  if (against) {
    const auto differences =
        compare(*against, options.against.string(), result, result.model, {.seed = options.seed});
    console.out << '\n';
    print_differences(differences, options.against.string(), result.model, console.out);
    json["against"] = {{"file", path_text(options.against)}, {"model", against->model}, {"differences", {}}};
    for (const PairedLength& d : differences) json["against"]["differences"].push_back(to_json(d));
  }
  if (file_out) {
    file_out->write(io::dump_json(json, 1) + "\n");
    file_out->commit();
    work->finish();
    console.log << options.out.string() << ": " << result.questions.size() << " questions, "
                << format_duration(result.seconds) << "\n";
  }
  return 0;
}

}  // namespace solopo::cli
