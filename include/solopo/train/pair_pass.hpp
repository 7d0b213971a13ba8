// One record through model and objective: the narrow waist between them is a log-probability for each
// response on the way down, a derivative for each on the way up.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/response.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/policy_model.hpp"
#include "solopo/train/reference_logps.hpp"

namespace solopo {

// Records and what the reference gives them.
struct TrainData {
  std::span<const PreferenceRecord> records;
  const ReferenceLogps* reference = nullptr;  // unset when the objective needs none
};

// One record as its objective sees it.
struct PairPass {
  Pair<float> pair;
  std::size_t rows = 0;  // tokens that went through the model
};

namespace pair_pass_detail {

// Throws NonFiniteError naming record and role.
inline Pair<float> gather(const Collated& batch, const std::vector<float>& logps, const TrainData& data,
                          std::size_t index, float mean_length) {
  const PreferenceRecord& record = data.records[index];
  Pair<float> pair;
  for (unsigned r = 0; r < role_count; ++r) {
    const ResponseRole& role = response_roles[r];
    Response<float>& y = pair.*role_of_pair<float>[r];
    if (batch.responses[r] >= 0) {
      y.logp = logps[static_cast<std::size_t>(batch.responses[r])];
      if (!std::isfinite(y.logp)) {
        throw NonFiniteError("log-probability of " + std::string(role.name) + " of record '" +
                             printable(record.id) + "' is " + std::to_string(y.logp));
      }
      y.length = static_cast<float>(response_of(record, role.response).size());
    }
    if (data.reference && !data.reference->roles[r].empty()) y.ref_logp = data.reference->roles[r][index];
  }
  pair.score_chosen = record.score_chosen;
  pair.score_rejected = record.score_rejected;
  pair.label = record.label;
  pair.mean_length = mean_length;
  return pair;
}

inline void require_finite(const PairLoss<float>& loss, const PreferenceRecord& record) {
  bool finite = std::isfinite(loss.loss);
  for (const auto derivative : role_of_loss<float>) finite = finite && std::isfinite(loss.*derivative);
  if (!finite) {
    throw NonFiniteError("the loss of record '" + printable(record.id) +
                         "' or its derivative is not finite (loss " + std::to_string(loss.loss) + ")");
  }
}

}  // namespace pair_pass_detail

// Forward only. `mean_length` goes into the pair. Throws NonFiniteError naming the record.
template <PolicyModel Model>
[[nodiscard]] PairPass score_pair(Model& model, const TrainData& data, std::size_t index,
                                  const CollateOptions& options, float mean_length) {
  const Collated batch = collate(data.records[index], options, Side::policy);
  const std::vector<float> logps = model.response_logps(batch.sequences);
  return {pair_pass_detail::gather(batch, logps, data, index, mean_length), batch.sequences.tokens.size()};
}

// Forward and backward: adds to `gradients` `share` times the gradient of the loss that loss_of(pair) gives.
// Throws NonFiniteError naming the record, before it adds anything.
template <PolicyModel Model, class LossOf>
PairPass backpropagate_pair(Model& model, const TrainData& data, std::size_t index,
                            const CollateOptions& options, float mean_length, float share,
                            std::span<float> gradients, LossOf&& loss_of) {
  const Collated batch = collate(data.records[index], options, Side::policy);
  const std::vector<float> logps = model.forward(batch.sequences);
  const Pair<float> pair = pair_pass_detail::gather(batch, logps, data, index, mean_length);
  const PairLoss<float> loss = loss_of(pair);
  pair_pass_detail::require_finite(loss, data.records[index]);
  std::vector<float> dlogps(static_cast<std::size_t>(batch.sequences.responses));
  for (unsigned r = 0; r < role_count; ++r) {
    if (batch.responses[r] >= 0)
      dlogps[static_cast<std::size_t>(batch.responses[r])] = loss.*role_of_loss<float>[r] * share;
  }
  model.backward(dlogps, gradients);
  return {pair, batch.sequences.tokens.size()};
}

}  // namespace solopo
