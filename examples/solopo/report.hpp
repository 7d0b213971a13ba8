// `solopo report`: evaluations and training logs as one HTML page with charts in it, readable without a
// network, a script or colour vision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "console.hpp"

namespace solopo::cli {

struct NamedFile {
  std::string name{};
  std::filesystem::path file{};
};

struct ReportOptions {
  std::string title = "SoLoPO: short-to-long preference optimisation";
  std::string note{};                   // a paragraph under the title
  std::vector<NamedFile> evals{};       // results of `solopo eval`; the first is the one to compare with
  std::vector<NamedFile> trains{};      // metrics.jsonl of `solopo train`; a run named as an eval is its
                                        // training
  std::vector<std::string> against{};   // names of evals to compare the later ones with; empty: the first
  std::filesystem::path commands{};     // a text file with the commands of the job, empty: none
  std::filesystem::path out{};          // HTML
  std::filesystem::path metrics_out{};  // all training lines with their run's name, empty: not written
  std::int64_t samples = 8;             // sample questions shown
  std::uint64_t seed = 0;               // of the bootstrap
};

// "name=file"; UsageError when it is not of that form.
NamedFile parse_named_file(const std::string& text);

// Also prints the table of results. UsageError, DataError, IoError; nothing is written when it throws.
void run_report(const ReportOptions& options, const Console& console);

}  // namespace solopo::cli
