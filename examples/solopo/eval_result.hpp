// What an evaluation found, as a file: the answer to every question at every length, so that two evaluations
// can be compared question by question without running a model again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "solopo/io/json.hpp"

namespace solopo::cli {

struct EvalQuestion {
  std::string id{}, question{};
  std::vector<std::string> answers{};  // the answer first, then its aliases
};

struct EvalRow {
  std::string id{};
  std::int64_t length = 0;         // asked for [tokens], 0: the evidence alone
  std::int64_t tokens = 0;         // of the prompt
  std::optional<double> depth{};   // share of the distractors before the evidence, unset: no distractors
  bool correct = false;            // sub-EM of the greedy answer
  bool finished = false;           // the answer ended by itself
  double gold_logp_per_token = 0;  // of the first answer, end-of-turn token included [nats]
  std::int64_t gold_tokens = 0;
  std::string answer{};
};

// The rows of one length, in the order in which the questions were drawn.
struct EvalLength {
  std::int64_t length = 0;
  std::string contexts_sha256{};  // of all prompts: equal where two evaluations asked the very same
  double seconds = 0;
  std::vector<EvalRow> rows{};
};

// Answers at one length that were found together: a piece of an unfinished evaluation.
struct EvalPiece {
  std::int64_t length = 0;
  double seconds = 0;
  std::vector<EvalRow> rows{};
};

struct EvalResult {
  std::string model{};
  std::string command{};           // as it was given
  io::Json settings{}, machine{};  // objects
  double seconds = 0, peak_memory_bytes = 0;
  std::vector<EvalQuestion> questions{};
  std::vector<EvalLength> lengths{};  // ascending
};

// Includes a summary, which reading ignores: it follows from the rows.
io::Json to_json(const EvalResult& result);

io::Json to_json(const EvalPiece& piece);

// DataError naming `file` and what is missing or of the wrong type.
EvalPiece read_piece(const io::Json& json, const std::string& file);

// DataError naming what is missing or of the wrong type.
EvalResult read_eval(const std::filesystem::path& path);

// "evidence", "512", "1K".
std::string length_label(std::int64_t length);

}  // namespace solopo::cli
