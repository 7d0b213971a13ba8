// A batch of records through model and objective, one record in the model at a time. An objective that
// couples the pairs of a batch first sees all of them (forward only), then each goes through the model again
// with its derivatives: a third more work, and the memory of one record.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "solopo/backends/batch_metrics.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/train/pair_pass.hpp"

namespace solopo {

struct BatchPass {
  BatchMetrics metrics;  // means over the batch
  std::size_t rows = 0;  // tokens that went through the model, counted once
};

namespace batch_pass_detail {

inline float mean_chosen_length(const TrainData& data, std::span<const std::size_t> batch) {
  double sum = 0;
  for (const std::size_t i : batch) sum += static_cast<double>(data.records[i].chosen.size());
  return static_cast<float>(sum / static_cast<double>(batch.size()));
}

inline void take(BatchPass& out, const AnyObjective& objective, const PairPass& pass, float loss) {
  out.metrics.add(static_cast<double>(loss), objective.metrics(converted<double>(pass.pair)));
  out.rows += pass.rows;
}

// The pairs of a batch under the policy as it is.
template <PolicyModel Model>
std::vector<PairPass> score_batch(Model& model, const TrainData& data, std::span<const std::size_t> batch,
                                  const CollateOptions& options) {
  const float mean_length = mean_chosen_length(data, batch);
  std::vector<PairPass> out;
  for (const std::size_t i : batch) out.push_back(score_pair(model, data, i, options, mean_length));
  return out;
}

inline std::vector<Pair<float>> pairs_of(const std::vector<PairPass>& passes) {
  std::vector<Pair<float>> out;
  out.reserve(passes.size());
  for (const PairPass& pass : passes) out.push_back(pass.pair);
  return out;
}

}  // namespace batch_pass_detail

// Forward only: what the records `batch` of the data lose under the objective in this state, which stays.
// Throws NonFiniteError naming the record.
template <PolicyModel Model>
[[nodiscard]] BatchPass evaluate_batch(Model& model, const AnyObjective& objective, const NamedState& state,
                                       const TrainData& data, std::span<const std::size_t> batch,
                                       const CollateOptions& options) {
  const std::vector<PairPass> passes = batch_pass_detail::score_batch(model, data, batch, options);
  std::vector<PairLoss<float>> losses(batch.size());
  objective.losses(batch_pass_detail::pairs_of(passes), state, losses);
  BatchPass out;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    pair_pass_detail::require_finite(losses[i], data.records[batch[i]]);
    batch_pass_detail::take(out, objective, passes[i], losses[i].loss);
  }
  return out;
}

// Forward and backward: adds the gradient of the mean loss over the batch to `gradients` and takes the batch
// into `state`. done(i) is called after the i-th of its records. Throws NonFiniteError naming the record;
// state and weights are as before then, the gradients are not.
template <PolicyModel Model, class Done>
BatchPass accumulate_batch(Model& model, const AnyObjective& objective, NamedState& state,
                           const TrainData& data, std::span<const std::size_t> batch,
                           const CollateOptions& options, std::span<float> gradients, Done&& done) {
  std::vector<PairLoss<float>> losses(batch.size());
  NamedState next = state;
  std::vector<PairPass> scored;
  if (objective.is_coupled()) {
    scored = batch_pass_detail::score_batch(model, data, batch, options);
    const std::vector<Pair<float>> pairs = batch_pass_detail::pairs_of(scored);
    next = objective.advanced(state, pairs);
    objective.losses(pairs, next, losses);
  }
  const float mean_length = batch_pass_detail::mean_chosen_length(data, batch);
  const float share = 1.0f / static_cast<float>(batch.size());
  BatchPass out;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto loss_of = [&](const Pair<float>& p) {
      if (!objective.is_coupled()) losses[i] = objective(p);
      return losses[i];
    };
    const PairPass pass = backpropagate_pair(model, data, batch[i], options, mean_length, share, gradients,
                                             loss_of, scored.empty() ? nullptr : &scored[i].reference);
    batch_pass_detail::take(out, objective, pass, losses[i].loss);
    done(i);
  }
  state = std::move(next);
  return out;
}

}  // namespace solopo
