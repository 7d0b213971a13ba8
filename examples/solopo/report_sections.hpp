// The parts of the report, each a string of HTML.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval_result.hpp"
#include "eval_summary.hpp"
#include "training_log.hpp"

namespace solopo::cli {

struct ReportModel {
  std::string name{};
  int style = 0;
  EvalResult eval{};
  std::vector<LengthSummary> summary{};
};

struct ReportRun {
  int style = 0;
  TrainingLog log{};
};

struct ReportComparison {
  std::string first{}, second{};
  int style = 0;  // of the second
  std::vector<PairedLength> lengths{};
};

std::string headline_section(const std::vector<ReportModel>& models, const std::vector<ReportRun>& runs);
std::string length_section(const std::vector<ReportModel>& models);
std::string depth_section(const std::vector<ReportModel>& models);
// One card for each model that others are compared with.
std::string difference_section(const std::vector<ReportComparison>& comparisons);
std::string training_section(const std::vector<ReportRun>& runs);
std::string sample_section(const std::vector<ReportModel>& models, std::int64_t count);
std::string provenance_section(const std::vector<ReportModel>& models, const std::string& commands);

}  // namespace solopo::cli
