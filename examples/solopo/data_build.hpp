// `solopo data build`: questions to short and long contexts, with a manifest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "context_builder.hpp"
#include "prompt_model.hpp"
#include "qa_reader.hpp"
#include "question_split.hpp"

namespace solopo::cli {

struct BuildOptions {
  std::filesystem::path qa;
  std::string format = "musique";     // musique, hotpotqa, 2wikimultihopqa, squad
  std::filesystem::path model;        // for its tokenizer and chat template
  std::string template_name;          // empty: the model's own
  std::filesystem::path out;          // contexts, JSON Lines
  std::filesystem::path distractors;  // more distractors: JSON Lines of {title, text}, or prose; empty: none
  std::int64_t short_tokens = 0;      // 0: the evidence alone
  std::int64_t long_tokens = 1024;
  std::int64_t limit = 0;  // questions written, 0: all
  std::uint64_t seed = 0;
  std::vector<double> depths;  // see ContextOptions
  bool pooled = true;
  std::optional<double> own_share;  // unset: default_own_share(format)
  std::int64_t longest_distractor = ContextOptions{}.longest_distractor;
  SplitOptions split{};
  QaReadOptions read{};
  PromptFormat prompt{};
};

struct BuildResult {
  std::int64_t written = 0;
  std::int64_t short_median = 0, long_median = 0;  // tokens
};

// UsageError, DataError, ModelError, IoError; nothing is written when it throws.
BuildResult run_data_build(const BuildOptions& options, std::ostream& log);
// The same with a model at hand (tests).
BuildResult run_data_build(const BuildOptions& options, const TokenCounter& counter,
                           std::int64_t context_length, std::ostream& log);

}  // namespace solopo::cli
