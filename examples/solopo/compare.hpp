// `solopo compare`: two or more evaluations of the same questions, side by side.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "console.hpp"
#include "report.hpp"

namespace solopo::cli {

struct CompareOptions {
  std::vector<NamedFile> evals{};  // the first is the one to compare with, unless `against` names another
  std::string against{};
  std::int64_t resamples = 10000;
  std::uint64_t seed = 0;
  std::filesystem::path out{};  // JSON, empty: only the tables
};

// UsageError, DataError (other questions, other contexts), IoError.
void run_compare(const CompareOptions& options, const Console& console);

}  // namespace solopo::cli
