// The metrics.jsonl of a training run, read back.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "solopo/io/jsonl.hpp"

namespace solopo::cli {

struct TrainingLog {
  std::string name{};
  std::vector<io::Json> lines{};             // as they stand
  std::map<std::int64_t, io::Json> steps{};  // the last line of each step that is no evaluation

  // (step, value) where the metric is a number; NaN where the log says that it was not finite.
  [[nodiscard]] std::vector<std::pair<double, double>> curve(const std::string& metric) const {
    std::vector<std::pair<double, double>> out;
    for (const auto& [step, line] : steps) {
      const auto found = line.find(metric);
      if (found == line.end()) continue;
      if (found->is_number()) out.emplace_back(static_cast<double>(step), found->get<double>());
      if (found->is_null())
        out.emplace_back(static_cast<double>(step), std::numeric_limits<double>::quiet_NaN());
    }
    return out;
  }
  [[nodiscard]] double largest(const std::string& metric) const {
    double out = 0;
    for (const auto& [step, value] : curve(metric)) out = std::isfinite(value) ? std::max(out, value) : out;
    return out;
  }
  [[nodiscard]] std::int64_t last_step() const { return steps.empty() ? 0 : steps.rbegin()->first; }
};

// DataError for a line without "step".
inline TrainingLog read_training_log(const std::string& name, const std::filesystem::path& path) {
  TrainingLog out{.name = name, .lines = {}, .steps = {}};
  io::JsonlReader reader(path);
  while (auto record = reader.next()) {
    const auto step = record->value.find("step");
    if (step == record->value.end() || !step->is_number_unsigned())
      reader.reject(record->line, "field", "step", "expected the step's number; is this a metrics.jsonl?");
    if (record->value.contains("loss")) out.steps[step->get<std::int64_t>()] = record->value;
    out.lines.push_back(std::move(record->value));
  }
  return out;
}

// Running mean over a window centred on each point; points that are not finite stay.
inline std::vector<std::pair<double, double>> smooth(const std::vector<std::pair<double, double>>& curve,
                                                     std::size_t window) {
  std::vector<std::pair<double, double>> out = curve;
  const std::size_t half = window / 2;
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (!std::isfinite(curve[i].second)) continue;
    const std::size_t reach = std::min({half, i, curve.size() - 1 - i});  // narrower at the ends: no bias
    double sum = 0, count = 0;
    for (std::size_t j = i - reach; j <= i + reach; ++j) {
      if (!std::isfinite(curve[j].second)) continue;
      sum += curve[j].second;
      ++count;
    }
    out[i].second = sum / count;
  }
  return out;
}

}  // namespace solopo::cli
