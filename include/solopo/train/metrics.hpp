// Named numbers of a step, under the names TRL's users know.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/io/json.hpp"

namespace solopo {

class Metrics {
 public:
  using Entry = std::pair<std::string, double>;

  // Sets a value; a new name goes to the end.
  void set(std::string_view name, double value) { slot(name) = value; }

  [[nodiscard]] std::optional<double> find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.first == name) return entry.second;
    }
    return std::nullopt;
  }

  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

 private:
  double& slot(std::string_view name) {
    for (Entry& entry : entries_) {
      if (entry.first == name) return entry.second;
    }
    return entries_.emplace_back(std::string(name), 0.0).second;
  }

  std::vector<Entry> entries_;
};

// A JSON object of the metrics; a writer of JSON lines turns NaN into null.
[[nodiscard]] inline io::Json metrics_json(const Metrics& metrics) {
  io::Json out = io::Json::object();
  for (const auto& [name, value] : metrics.entries()) out[name] = value;
  return out;
}

}  // namespace solopo
