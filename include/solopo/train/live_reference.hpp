// A reference model that is there while training, for objectives that compare whole distributions (TDPO) and
// for a reference that follows the policy (TR-DPO). All others read log-probabilities computed before.
#pragma once

#include <cstddef>
#include <cstdint>

#include "solopo/core/error.hpp"
#include "solopo/kernels/lm_head.hpp"
#include "solopo/model/llama.hpp"
#include "solopo/train/parameters.hpp"
#include "solopo/train/record_reference.hpp"

namespace solopo {

// Types are erased, so that nothing above is a template of the reference's.
class LiveReference {
 public:
  virtual ~LiveReference() = default;
  // Throws NonFiniteError naming the record.
  virtual RecordReference score(const PreferenceRecord& record, const CollateOptions& options) = 0;
  // The rows that the last score() scored and the head they go through; valid until the next.
  [[nodiscard]] virtual kernels::HeadRows<float> head_rows() const = 0;
  // Its weights where they may change, else nothing.
  [[nodiscard]] virtual Parameters parameters() = 0;
  // They were written.
  virtual void changed() {}
};

// A copy of a model's weights, and the same code path as the policy's: before the first update both give the
// same bits.
template <class Product = kernels::DefaultProduct>
class LlamaReference final : public LiveReference {
 public:
  // `options` are the policy's, as far as a pass without gradient has them.
  explicit LlamaReference(const LlamaWeights<float>& weights, LlamaOptions options = {})
      : weights_(weights), model_(weights_, options) {}
  LlamaReference(const LlamaReference&) = delete;
  LlamaReference& operator=(const LlamaReference&) = delete;

  RecordReference score(const PreferenceRecord& record, const CollateOptions& options) override {
    return score_reference(model_, record, options);
  }
  [[nodiscard]] kernels::HeadRows<float> head_rows() const override { return model_.head_rows(); }
  [[nodiscard]] Parameters parameters() override { return parameters_of(weights_); }

 private:
  LlamaWeights<float> weights_;
  Llama<float, Product> model_;
};

// The base of a model with adapters, sharing its weights: they are frozen. Adapters as they begin give the
// same bits.
template <class Product = kernels::DefaultProduct>
class BaseReference final : public LiveReference {
 public:
  // Keeps a reference to `weights`; options as LlamaReference.
  explicit BaseReference(const LlamaWeights<float>& weights, LlamaOptions options = {})
      : model_(weights, options) {}

  RecordReference score(const PreferenceRecord& record, const CollateOptions& options) override {
    return score_reference(model_, record, options);
  }
  [[nodiscard]] kernels::HeadRows<float> head_rows() const override { return model_.head_rows(); }
  [[nodiscard]] Parameters parameters() override { return {}; }

 private:
  Llama<float, Product> model_;
};

// When and how far a reference follows the policy: after every `every` steps
// reference = mixup policy + (1 - mixup) reference. arXiv 2404.09656 (TR-DPO), TRL's sync_ref_model,
// ref_model_sync_steps and ref_model_mixup_alpha; a mixup of 1 is the hard update. every = 0: never.
struct ReferenceUpdate {
  std::int64_t every = 0;  // steps
  double mixup = 0.6;      // in (0, 1]

  [[nodiscard]] bool due(std::int64_t step) const noexcept { return every > 0 && step % every == 0; }
};

// Throws ArgumentError for a number out of range.
inline void check_reference_update(const ReferenceUpdate& update) {
  if (update.every < 0) throw ArgumentError("reference_update.every", "must be 0 or more");
  if (!(update.mixup > 0 && update.mixup <= 1))
    throw ArgumentError("reference_update.mixup", "must be above 0 and at most 1");
}

// Moves the reference towards the policy, whose weights have the same layout.
inline void update_reference(const Parameters& reference, const Parameters& policy, double mixup) {
  if (reference.values.size() != policy.values.size())
    throw ArgumentError("reference", "has another layout than the policy");
  const auto share = static_cast<float>(mixup), rest = static_cast<float>(1 - mixup);
  for (std::size_t i = 0; i < policy.values.size(); ++i)
    reference.values[i] = share * policy.values[i] + rest * reference.values[i];
}

}  // namespace solopo
