#include "data_build.hpp"

#include <algorithm>
#include <ostream>
#include <utility>

#include "context_record.hpp"
#include "manifest.hpp"
#include "solopo/io/jsonl.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

void check(const BuildOptions& options, std::int64_t context_length) {
  if (options.short_tokens < 0 || options.long_tokens <= 0 || options.limit < 0) {
    throw UsageError("--short-tokens, --long-tokens and --limit cannot be negative, and --long-tokens not 0");
  }
  if (options.long_tokens <= options.short_tokens) {
    throw UsageError("--long-tokens " + std::to_string(options.long_tokens) +
                     " is not above --short-tokens " + std::to_string(options.short_tokens));
  }
  if (context_length > 0 && options.long_tokens > context_length) {
    throw UsageError("--long-tokens " + std::to_string(options.long_tokens) + " is past the " +
                     std::to_string(context_length) + " tokens that the model reads");
  }
}

io::Json options_json(const BuildOptions& options, double own_share) {
  return {{"format", options.format},
          {"template", options.template_name},
          {"short_tokens", options.short_tokens},
          {"long_tokens", options.long_tokens},
          {"limit", options.limit},
          {"seed", options.seed},
          {"depths", options.depths},
          {"pooled", options.pooled},
          {"own_share", own_share},
          {"longest_distractor", options.longest_distractor},
          {"max_bad", options.read.max_bad},
          {"on_bad_utf8", options.read.bad_utf8 == io::BadUtf8::replace ? "replace" : "reject"},
          {"prompt_format", to_json(options.prompt)}};
}

}  // namespace

BuildResult run_data_build(const BuildOptions& options, std::ostream& log) {
  check(options, 0);
  const PromptModel model = load_prompt_model(options.model, options.template_name);
  return run_data_build(options, token_counter(model.tokenizer, model.chat), model.context_length, log);
}

BuildResult run_data_build(const BuildOptions& options, const TokenCounter& counter,
                           std::int64_t context_length, std::ostream& log) {
  check(options, context_length);
  const QaFormat format = parse_qa_format(options.format);
  io::JsonlWriter out(options.out, {.digest = true});  // a path that cannot be written shows before the work

  QaFile file = load_questions(options.qa, format, options.read, log);
  const Split split = split_groups(file.questions, options.split);
  const std::vector<Question> questions =
      seeded_order(select_split(std::move(file.questions), options.split), options.seed);

  std::vector<Paragraph> extra;
  io::Json distractor_file = nullptr;
  if (!options.distractors.empty()) {
    std::string digest;
    extra = read_distractors(options.distractors, &digest);
    distractor_file = {
        {"file", options.distractors.string()}, {"sha256", digest}, {"paragraphs", extra.size()}};
  }
  const double own_share = options.own_share.value_or(default_own_share(format));
  ContextBuilder builder(questions, extra, counter,
                         {.seed = options.seed,
                          .depths = options.depths,
                          .pooled = options.pooled,
                          .own_share = own_share,
                          .longest_distractor = options.longest_distractor,
                          .format = options.prompt});

  std::vector<std::int64_t> short_tokens, long_tokens;
  std::map<std::string, std::int64_t> dropped;
  for (const Question& question : questions) {
    if (options.limit > 0 && static_cast<std::int64_t>(short_tokens.size()) == options.limit) break;
    const std::optional<Context> in_short = builder.build(question, options.short_tokens);
    const std::optional<Context> in_long = builder.build(question, options.long_tokens);
    if (!in_short) {
      ++dropped["evidence over short_tokens"];
    } else if (!in_long) {
      ++dropped["evidence over long_tokens"];
    } else if (in_long->distractors <= in_short->distractors) {
      ++dropped["no more distractors in the long context"];
    } else {
      const ContextRecord record{.id = question.id,
                                 .question = question.question,
                                 .answers = question.answers,
                                 .prompt_short = in_short->prompt,
                                 .prompt_long = in_long->prompt,
                                 .short_tokens = in_short->tokens,
                                 .long_tokens = in_long->tokens,
                                 .evidence_depth = in_long->depth};
      out.write(to_json(record));
      short_tokens.push_back(in_short->tokens);
      long_tokens.push_back(in_long->tokens);
    }
  }
  for (const auto& [reason, count] : dropped) log << "  dropped: " << reason << ": " << count << "\n";
  if (short_tokens.empty())
    throw DataError("nothing_left", {.file = options.qa.string(), .field = {}}, "no question could be used");

  const io::Json short_statistics = token_statistics(short_tokens),
                 long_statistics = token_statistics(long_tokens);
  remove_manifest(options.out);
  const io::WrittenFile written = out.commit();
  io::Json split_json = nullptr;
  if (!options.split.by.empty()) {
    split_json = to_json(split);
    split_json["by"] = options.split.by;
    split_json["part"] = options.split.part;
    split_json["order"] = "file";
  }
  write_manifest(options.out, {{"command", "data build"},
                               {"options", options_json(options, own_share)},
                               {"model", options.model.string()},
                               {"questions", to_json(file.report)},
                               {"distractors", distractor_file},
                               {"split", split_json},
                               {"usable_questions", questions.size()},
                               {"written", short_tokens.size()},
                               {"dropped", dropped},
                               {"refused_distractors", builder.refused()},
                               {"tokens", {{"short", short_statistics}, {"long", long_statistics}}},
                               {"output_sha256", written.sha256}});
  BuildResult result{.written = static_cast<std::int64_t>(short_tokens.size()),
                     .short_median = short_statistics["median"].get<std::int64_t>(),
                     .long_median = long_statistics["median"].get<std::int64_t>()};
  log << options.out.string() << ": " << result.written << " contexts, median tokens short "
      << result.short_median << ", long " << result.long_median << "\n";
  return result;
}

}  // namespace solopo::cli
