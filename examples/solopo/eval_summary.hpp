// Numbers from the rows of evaluations: accuracy and gold log-probability by length and by depth of the
// evidence, and their paired differences between two models.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "eval_result.hpp"
#include "statistics.hpp"

namespace solopo::cli {

struct EvalCell {
  std::int64_t questions = 0, correct = 0;
  Interval accuracy{};             // Wilson, 95 %
  Interval gold_logp_per_token{};  // bootstrap over questions, 95 %
};

// Questions whose evidence stands at [from, to) of the distractors; to = 1 includes 1, from = to is that very
// depth.
struct DepthCell {
  double from = 0, to = 1;
  EvalCell cell{};
};

struct LengthSummary {
  std::int64_t length = 0, median_tokens = 0;
  EvalCell all{};
  std::vector<DepthCell> depths{};  // empty without distractors
};

// One for each length. Depths as `settings.depths` lists them, or five equal ranges.
std::vector<LengthSummary> summarise(const EvalResult& result, const BootstrapOptions& options = {});

// Second minus first, on the same questions.
struct PairedDifference {
  std::int64_t length = 0, questions = 0;
  double from = 0, to = 1;                       // of the evidence's depth; 0, 1: all
  std::int64_t only_first = 0, only_second = 0;  // right in one of the two
  Interval accuracy{}, gold_logp_per_token{};    // bootstrap over questions, 95 %
};

struct PairedLength {
  PairedDifference all{};
  std::vector<PairedDifference> depths{};
};

// DataError, naming the first difference, unless compare() could compare the two. Of rows only ids are read.
void require_comparable(const EvalResult& first, const std::string& first_name, const EvalResult& second,
                        const std::string& second_name);

// At every length both have. DataError, naming the first difference, unless the two asked the same questions
// in the same order with the same contexts.
std::vector<PairedLength> compare(const EvalResult& first, const std::string& first_name,
                                  const EvalResult& second, const std::string& second_name,
                                  const BootstrapOptions& options = {});

// Accuracy and log-probability by length, then by depth.
void print_summary(const EvalResult& result, std::ostream& out);
void print_differences(const std::vector<PairedLength>& differences, const std::string& first_name,
                       const std::string& second_name, std::ostream& out);

io::Json to_json(const Interval& interval);
io::Json to_json(const LengthSummary& summary);
io::Json to_json(const PairedLength& difference);

// "0.0-0.2", or "0.25" where from = to.
std::string depth_label(double from, double to);

}  // namespace solopo::cli
