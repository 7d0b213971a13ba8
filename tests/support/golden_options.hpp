// Golden files of objectives: options and pairs as JSON.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "solopo/core/response.hpp"
#include "solopo/objectives/objective_options.hpp"

namespace rule_checks {

inline nlohmann::json read_golden(const std::string& name) {
  std::ifstream file(SOLOPO_SOURCE_DIR "/tests/golden/" + name);
  return nlohmann::json::parse(file);
}

inline solopo::ObjectiveOptions golden_options(const nlohmann::json& j) {
  solopo::ObjectiveOptions out;
  for (const auto& [name, value] : j.items()) {
    if (value.is_boolean())
      out.emplace(name, value.get<bool>());
    else if (value.is_string())
      out.emplace(name, value.get<std::string>());
    else
      out.emplace(name, value.get<double>());
  }
  return out;
}

inline solopo::Pair<double> golden_pair(const nlohmann::json& j) {
  const auto one = [&](const char* role) {
    const nlohmann::json& y = j.at(role);
    return solopo::Response<double>{.logp = y.at("logp").get<double>(),
                                    .ref_logp = y.at("ref_logp").get<double>(),
                                    .length = y.at("length").get<double>(),
                                    .statistic = y.value("statistic", 0.0),
                                    .ref_statistic = y.value("ref_statistic", 0.0)};
  };
  return {.chosen = one("chosen"),
          .rejected = one("rejected"),
          .chosen_long = one("chosen_long"),
          .rejected_long = one("rejected_long"),
          .third = one("third"),
          .score_chosen = j.at("score_chosen").get<double>(),
          .score_rejected = j.at("score_rejected").get<double>(),
          .label = j.at("label").get<double>(),
          .mean_length = j.at("mean_length").get<double>()};
}

}  // namespace rule_checks
