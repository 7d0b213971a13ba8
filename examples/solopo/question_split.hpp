// Which questions a command works on: a split by article, and an order from which the first n are a fair
// sample.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "qa_reader.hpp"

namespace solopo::cli {

// Splits by article, in the order in which articles first appear in the file: the first `train` articles,
// then the next `test` ones. No seed is involved, so that the same flags always name the same articles.
struct SplitOptions {
  std::string by;                    // "" (no split) or "article"
  std::int64_t train = 0, test = 0;  // articles
  std::string part = "train";        // which one to use: "train" or "test"
};

struct Split {
  std::vector<std::string> train, test;  // article names
};

// UsageError: an unknown `by` or `part`, numbers of articles without `by`, a file without articles, more
// articles asked for than there are.
Split split_groups(const std::vector<Question>& questions, const SplitOptions& options);

// Keeps the questions of the asked part; with by == "" all of them.
std::vector<Question> select_split(std::vector<Question> questions, const SplitOptions& options);

// Keeps the questions of these articles.
std::vector<Question> select_groups(std::vector<Question> questions, const std::vector<std::string>& groups);

// Questions in an order drawn from the seed and each question's id, so that the first n are a fair sample,
// whatever else the file holds. `limit` 0: all.
std::vector<Question> seeded_order(std::vector<Question> questions, std::uint64_t seed,
                                   std::int64_t limit = 0);

}  // namespace solopo::cli
