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
#include "solopo/train/live_reference.hpp"
#include "solopo/train/policy_model.hpp"
#include "solopo/train/record_reference.hpp"
#include "solopo/train/reference_logps.hpp"

namespace solopo {

// Records and what the reference gives them: numbers computed before, or a model that is asked each time.
struct TrainData {
  std::span<const PreferenceRecord> records;
  const ReferenceLogps* reference = nullptr;  // unset when the objective needs none
  LiveReference* live = nullptr;              // used instead when set
};

// One record as its objective sees it.
struct PairPass {
  Pair<float> pair;
  RecordReference reference;
  std::size_t rows = 0;  // tokens that went through the model
};

namespace pair_pass_detail {

// What the reference says of a record. A live one runs now.
inline RecordReference reference_of(const TrainData& data, std::size_t index, const CollateOptions& options) {
  const bool asked = needs_reference(options.needs);
  if (data.live && (asked || options.statistic == Statistic::sequential_kl))
    return data.live->score(data.records[index], options);
  return data.reference ? data.reference->of(index) : RecordReference{};
}

// What the head is asked for besides log-probabilities. After reference_of() of the same record.
inline kernels::RowStatistic<float> row_statistic(const TrainData& data, const CollateOptions& options) {
  kernels::RowStatistic<float> out{.kind = options.statistic};
  if (out.compares()) {
    if (!data.live) throw ArgumentError("reference", "must be live: the objective compares distributions");
    out.reference = data.live->head_rows();
  }
  return out;
}

// Adds what the model says of the responses of a batch.
inline void add(Pair<float>& pair, const Collated& batch, const std::vector<float>& logps,
                std::span<const float> statistics) {
  for (const ResponsePart& part : batch.parts) {
    Response<float>& y = pair.*role_of_pair<float>[part.role];
    y.logp += logps[part.index];
    y.length += static_cast<float>(part.tokens);
    y.statistic += part.is_statistic ? logps[part.index] : statistics[part.index];
  }
}

// The rest of a pair. Throws NonFiniteError naming record and role.
inline void complete(Pair<float>& pair, const RecordReference& reference, const PreferenceRecord& record,
                     float mean_length) {
  for (unsigned r = 0; r < role_count; ++r) {
    Response<float>& y = pair.*role_of_pair<float>[r];
    y.ref_logp = reference.logps[r];
    y.ref_statistic = reference.statistics[r];
    if (!std::isfinite(y.logp) || !std::isfinite(y.statistic)) {
      throw NonFiniteError("log-probability of " + std::string(response_roles[r].name) + " of record '" +
                           printable(record.id) + "' is " +
                           std::to_string(std::isfinite(y.logp) ? y.statistic : y.logp));
    }
  }
  pair.score_chosen = record.score_chosen;
  pair.score_rejected = record.score_rejected;
  pair.label = record.label;
  pair.mean_length = mean_length;
}

inline std::size_t rows_of(const PackedSequences& batch) {
  return batch.tokens.size() + batch.read_tokens.size();
}

inline void require_finite(const PairLoss<float>& loss, const PreferenceRecord& record) {
  bool finite = std::isfinite(loss.loss);
  for (const auto derivative : role_of_loss<float>) finite = finite && std::isfinite(loss.*derivative);
  for (const float derivative : loss.by_statistic) finite = finite && std::isfinite(derivative);
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
  namespace detail = pair_pass_detail;
  PairPass out{.pair = {}, .reference = detail::reference_of(data, index, options)};
  for (const Collated& batch : collate_passes(data.records[index], options, Side::policy)) {
    const std::vector<float> logps =
        model.response_logps(batch.sequences, detail::row_statistic(data, options));
    detail::add(out.pair, batch, logps, model.statistics());
    out.rows += detail::rows_of(batch.sequences);
  }
  detail::complete(out.pair, out.reference, data.records[index], mean_length);
  return out;
}

// Forward and backward: adds to `gradients` `share` times the gradient of the loss that loss_of(pair) gives.
// `known`: what the reference says of the record, where it was asked before; a statistic that compares needs
// it to run now. Throws NonFiniteError naming the record, before it adds anything.
template <PolicyModel Model, class LossOf>
PairPass backpropagate_pair(Model& model, const TrainData& data, std::size_t index,
                            const CollateOptions& options, float mean_length, float share,
                            std::span<float> gradients, LossOf&& loss_of,
                            const RecordReference* known = nullptr) {
  namespace detail = pair_pass_detail;
  const bool asks = known == nullptr || options.statistic == Statistic::sequential_kl;
  PairPass out{.pair = {}, .reference = asks ? detail::reference_of(data, index, options) : *known};
  const kernels::RowStatistic<float> statistic = detail::row_statistic(data, options);
  const std::vector<Collated> batches = collate_passes(data.records[index], options, Side::policy);
  // The loss couples the batches: all but the last run without a gradient first, and again after it.
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const PackedSequences& sequences = batches[i].sequences;
    const bool last = i + 1 == batches.size();
    const std::vector<float> logps =
        last ? model.forward(sequences, statistic) : model.response_logps(sequences, statistic);
    detail::add(out.pair, batches[i], logps, model.statistics());
    out.rows += detail::rows_of(sequences);
  }
  detail::complete(out.pair, out.reference, data.records[index], mean_length);
  const PairLoss<float> loss = loss_of(out.pair);
  detail::require_finite(loss, data.records[index]);
  for (std::size_t i = batches.size(); i-- > 0;) {
    const Collated& batch = batches[i];
    if (i + 1 < batches.size()) model.forward(batch.sequences, statistic);
    std::vector<float> dlogps(static_cast<std::size_t>(batch.sequences.responses));
    std::vector<float> dstatistics(dlogps.size());
    for (const ResponsePart& part : batch.parts) {
      const float by_statistic = loss.by_statistic[part.role] * share;
      dlogps[part.index] += loss.*role_of_loss<float>[part.role] * share;
      (part.is_statistic ? dlogps : dstatistics)[part.index] += by_statistic;
    }
    model.backward(dlogps, gradients, dstatistics);
  }
  return out;
}

}  // namespace solopo
