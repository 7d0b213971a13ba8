// `solopo data sample`: answers sampled from a model, sorted into right and wrong ones; one pair a question.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "device.hpp"
#include "prompt_format.hpp"

namespace solopo::cli {

struct SampleOptions {
  std::filesystem::path model;
  std::filesystem::path adapter;  // merged into the model, empty: none
  std::string template_name;      // empty: the model's own
  std::filesystem::path in;       // contexts, from `data build`
  std::filesystem::path out;      // preference records, JSON Lines
  std::string from = "short";     // the context to sample from: "short" or "long"
  std::int32_t n = 32;            // answers a question
  double temperature = 0.85;
  std::int32_t max_new_tokens = 32;
  std::uint64_t seed = 0;
  bool gold_chosen = false;    // chosen = the gold answer, whatever was sampled
  bool finished_only = false;  // never choose an answer that was cut
  std::int64_t limit = 0;      // stop after this many records, 0: never
  bool terminal = false;       // the log is a terminal: one progress line that is rewritten
  PromptFormat prompt{};       // only `answer` is used, with gold_chosen
  DeviceOptions where{};
};

struct SampledAnswer {
  std::string text;
  bool finished = true;  // false: cut at max_new_tokens
};

// `stream` keys the draws, so that an answer depends neither on what was sampled before nor on what is
// sampled with it.
struct SampleRequest {
  std::span<const text::Message> prompt;
  std::uint64_t stream = 0;
};

// n answers to each of a few prompts; none for one that does not fit the model's context.
using AnswerSampler =
    std::function<std::vector<std::vector<SampledAnswer>>(std::span<const SampleRequest> requests)>;

// Prompts sampled together, so that their n samples each fill the rows that one reading of the weights
// serves.
[[nodiscard]] std::size_t questions_together(std::int32_t n, const DeviceOptions& where);

struct SampledPair {
  SampledAnswer chosen, rejected;
  bool gold_chosen = false;
};

// The rule. Chosen: the shortest answer (bytes; the first of equals) that contains a gold answer, with
// `finished_only` among those that were not cut; with `gold_chosen` the gold answer. Rejected: a seeded
// choice among the distinct non-empty answers that contain none. When there is no pair, `why` says so: "no
// correct answer", "no finished correct answer", "no wrong answer".
std::optional<SampledPair> choose_pair(std::span<const SampledAnswer> answers,
                                       std::span<const std::string> gold, const SampleOptions& options,
                                       std::uint64_t stream, std::string& why);

struct SampleResult {
  std::int64_t questions = 0, written = 0;      // asked, paired
  std::map<std::string, std::int64_t> dropped;  // by reason
  bool interrupted = false;                     // `stop` said so; what was done is in OUT.partial
};

// Writes OUT and its manifest. After an interruption, a second run with the same options goes on from
// OUT.partial.
SampleResult run_data_sample(const SampleOptions& options, std::ostream& log,
                             const std::function<bool()>& stop = {});
// The same with another source of answers. `model_key` names it: a partial file of another one is refused.
SampleResult run_data_sample(const SampleOptions& options, const AnswerSampler& sampler,
                             const std::string& model_key, std::ostream& log,
                             const std::function<bool()>& stop = {});

}  // namespace solopo::cli
