// One record through model and objective: the narrow waist between them is a log-probability for each
// response on the way down, a derivative for each on the way up.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/backends/batch_loss.hpp"
#include "solopo/core/error.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/policy_model.hpp"
#include "solopo/train/reference_logps.hpp"

namespace solopo {

// Records and what the reference gives them.
struct TrainData {
  std::span<const PreferenceRecord> records;
  const ReferenceLogps* reference = nullptr;  // unset when the objective needs none
};

struct PairPass {
  BatchMetrics metrics;  // of this one record
  std::size_t rows = 0;  // tokens that went through the model
};

namespace pair_pass_detail {

using PairVectors = PairBatch<std::vector<float>>;

inline std::array<ResponseBatch<std::vector<float>>*, 4> roles_of(PairVectors& pair) {
  return {&pair.chosen, &pair.rejected, &pair.chosen_long, &pair.rejected_long};
}

// Throws NonFiniteError naming record and role.
inline PairVectors gather(const Collated& batch, const std::vector<float>& logps, const TrainData& data,
                          std::size_t index) {
  const PreferenceRecord& record = data.records[index];
  PairVectors pair;
  const auto roles = roles_of(pair);
  for (std::size_t r = 0; r < 4; ++r) {
    if (batch.responses[r] >= 0) {
      const float logp = logps[static_cast<std::size_t>(batch.responses[r])];
      if (!std::isfinite(logp)) {
        throw NonFiniteError("log-probability of " + std::string(role_names[r]) + " of record '" +
                             printable(record.id) + "' is " + std::to_string(logp));
      }
      const std::vector<std::int32_t>& response = r % 2 == 0 ? record.chosen : record.rejected;
      roles[r]->logp = {logp};
      roles[r]->length = {static_cast<float>(response.size())};
    }
    if (data.reference && !data.reference->roles[r].empty())
      roles[r]->ref_logp = {data.reference->roles[r][index]};
  }
  return pair;
}

inline void require_finite(const BatchLoss<std::vector<float>>& loss, const PreferenceRecord& record) {
  bool finite = std::isfinite(loss.loss);
  for (const auto* role : {&loss.chosen, &loss.rejected, &loss.chosen_long, &loss.rejected_long}) {
    for (const float derivative : *role) finite = finite && std::isfinite(derivative);
  }
  if (!finite) {
    throw NonFiniteError("the loss of record '" + printable(record.id) +
                         "' or its derivative is not finite (loss " + std::to_string(loss.loss) + ")");
  }
}

}  // namespace pair_pass_detail

// Forward only. Throws NonFiniteError naming the record.
template <PolicyModel Model>
[[nodiscard]] PairPass evaluate_pair(Model& model, const AnyObjective& objective, const TrainData& data,
                                     std::size_t index, const CollateOptions& options) {
  const Collated batch = collate(data.records[index], options, Side::policy);
  const std::vector<float> logps = model.response_logps(batch.sequences);
  const auto loss = batch_loss(objective, pair_pass_detail::gather(batch, logps, data, index));
  pair_pass_detail::require_finite(loss, data.records[index]);
  return {loss.metrics, batch.sequences.tokens.size()};
}

// Forward and backward: adds to `gradients` the record's share of the gradient of the mean loss over `count`
// records. Throws NonFiniteError naming the record, before it adds anything.
template <PolicyModel Model>
PairPass accumulate_pair(Model& model, const AnyObjective& objective, const TrainData& data,
                         std::size_t index, const CollateOptions& options, std::size_t count,
                         std::span<float> gradients) {
  const Collated batch = collate(data.records[index], options, Side::policy);
  const std::vector<float> logps = model.forward(batch.sequences);
  const auto loss = batch_loss(objective, pair_pass_detail::gather(batch, logps, data, index), count);
  pair_pass_detail::require_finite(loss, data.records[index]);
  const std::array<const std::vector<float>*, 4> derivatives = {&loss.chosen, &loss.rejected,
                                                                &loss.chosen_long, &loss.rejected_long};
  std::vector<float> dlogps(static_cast<std::size_t>(batch.sequences.responses));
  for (std::size_t r = 0; r < 4; ++r) {
    if (batch.responses[r] >= 0 && !derivatives[r]->empty()) {
      dlogps[static_cast<std::size_t>(batch.responses[r])] = derivatives[r]->front();
    }
  }
  model.backward(dlogps, gradients);
  return {loss.metrics, batch.sequences.tokens.size()};
}

}  // namespace solopo
