// metrics.jsonl of a run: a line for each step and each evaluation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>

#include "solopo/io/jsonl.hpp"
#include "solopo/train/metrics.hpp"

namespace solopo::cli {

// The log of a run that goes on after `step` steps: what an earlier process wrote about later steps is
// dropped, since they are done again, and so is what cannot be read; with 0 the log begins anew. Throws
// IoError, DataError where the file is no log at all.
class MetricsLog {
 public:
  MetricsLog(const std::filesystem::path& path, std::int64_t step) : appender_(prepared(path, step)) {}

  void write(std::int64_t step, const Metrics& metrics) {
    io::Json line = metrics_json(metrics);
    line["step"] = static_cast<std::uint64_t>(step);
    appender_.write(line);
  }

 private:
  static const std::filesystem::path& prepared(const std::filesystem::path& path, std::int64_t step) {
    if (!std::filesystem::exists(path)) return path;
    if (step == 0 || std::filesystem::file_size(path) == 0) {
      std::filesystem::remove(path);
      return path;
    }
    io::JsonlWriter kept(path);
    // A killed run leaves a cut line, a failing disk more; what the log lost must not stop a run.
    io::JsonlReader reader(path, {.max_bad = std::numeric_limits<std::size_t>::max()});
    while (const auto line = reader.next()) {
      const auto at = line->value.find("step");
      if (at != line->value.end() && at->is_number_integer() && at->get<std::int64_t>() <= step) {
        kept.write(line->value);
      }
    }
    kept.commit();
    return path;
  }

  io::JsonlAppender appender_;
};

}  // namespace solopo::cli
