// What the reference model gives one record.
#pragma once

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/policy_model.hpp"

namespace solopo {

// Summed log-probabilities [nats] and statistics of each role, in the order of response_roles; 0 for roles
// that the reference does not run.
struct RecordReference {
  std::array<float, role_count> logps{}, statistics{};
};

// Runs the reference over one record, in the policy's layout. Throws NonFiniteError naming record and role.
template <PolicyModel Model>
[[nodiscard]] RecordReference score_reference(Model& model, const PreferenceRecord& record,
                                              const CollateOptions& options) {
  RecordReference out;
  for (const Collated& batch : collate_passes(record, options, Side::reference)) {
    const std::vector<float> logps = model.response_logps(batch.sequences, {});
    for (const ResponsePart& part : batch.parts) {
      out.logps[part.role] += logps[part.index];
      if (part.is_statistic) out.statistics[part.role] = logps[part.index];
    }
  }
  for (unsigned r = 0; r < role_count; ++r) {
    if (std::isfinite(out.logps[r])) continue;
    throw NonFiniteError("reference log-probability of " + std::string(response_roles[r].name) +
                         " of record '" + printable(record.id) + "' is " + std::to_string(out.logps[r]));
  }
  return out;
}

}  // namespace solopo
