// `solopo score`: write each preference record with the log-probabilities a model gives its responses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>

#include "console.hpp"
#include "device.hpp"

namespace solopo::cli {

struct ScoreCommandOptions {
  std::filesystem::path model;      // --model
  std::filesystem::path adapter;    // --adapter: merged into the model, empty: none
  std::filesystem::path in;         // --in: JSONL of preference records, ours or TRL's
  std::filesystem::path out;        // --out: JSONL
  std::string chat_template;        // --template: chatml, llama3, qwen, plain; empty: the model's own
  std::int64_t max_length = 0;      // --max-length: 0: the model's context
  std::string too_long = "refuse";  // --too-long: refuse, drop, middle
  std::int64_t max_bad = 0;         // --max-bad
  std::int64_t threads = 0;         // --threads
  DeviceOptions where;              // --device, --dtype
};

// Adds ref_chosen_logps, ref_rejected_logps (TRL's column names; and _long where the record has a long
// prompt), chosen_tokens, rejected_tokens. Returns 0, or 128 + the signal's number. Nothing is written then.
// Throws UsageError, DataError, ModelError, IoError.
int run_score(const ScoreCommandOptions& options, const Console& console);

}  // namespace solopo::cli
