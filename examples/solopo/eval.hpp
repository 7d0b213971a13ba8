// `solopo eval`: how well a model answers questions from contexts of several lengths.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "console.hpp"
#include "device.hpp"
#include "eval_result.hpp"
#include "prompt_format.hpp"
#include "qa_reader.hpp"
#include "question_split.hpp"

namespace solopo::cli {

struct EvalOptions {
  std::filesystem::path model{};
  std::filesystem::path adapter{};  // merged into the model, empty: none
  std::string template_name{};      // empty: the model's own
  std::filesystem::path qa{};
  std::string format = "musique";
  std::filesystem::path distractors{};               // more of them, empty: none
  std::vector<std::int64_t> lengths{0, 1024, 2048};  // of the prompt [tokens], 0: the evidence alone
  std::vector<std::int64_t> questions{200};          // one number, or one for each length
  std::vector<double> depths{};                      // empty: uniform; else one of these a question
  bool pooled = true;
  std::optional<double> own_share{};
  std::int64_t longest_distractor = 300;  // tokens, 0: any
  SplitOptions split{.by = "", .part = "test"};
  std::filesystem::path split_from{};  // a manifest of `data build`: use its other articles; empty: see split
  std::uint64_t seed = 0;
  std::int32_t max_new_tokens = 32;
  PromptFormat prompt{};
  QaReadOptions read{};
  std::filesystem::path against{};  // a result to compare with, empty: none
  std::filesystem::path out{};      // JSON, empty: only the table
  std::int64_t threads = 0;
  DeviceOptions where{};
  std::string command{};  // as given, for the record
};

// The same questions, in the same order, are asked at every length; a longer context holds all of a shorter
// one. Each prompt is read once: the greedy answer and the gold answer's log-probability come from one cache.
// With `out` each answer goes to OUT.partial first: the same command goes on after a stop, and ends with the
// same answers. Returns 0, or 130 or 143 when it was stopped: `out` is not written then.
// Throws UsageError (all problems at once; lengths past the model's context), DataError, ModelError, IoError.
int run_eval(const EvalOptions& options, const Console& console);

}  // namespace solopo::cli
