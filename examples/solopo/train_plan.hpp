// What `solopo train` does with its options before a weight is read: objective, contexts, records, length.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "solopo/cuda/session.hpp"
#include "solopo/model/language_model.hpp"
#include "solopo/model/lora.hpp"
#include "solopo/model/model_cost.hpp"
#include "solopo/objectives/registry.hpp"
#include "solopo/train/read_records.hpp"
#include "solopo/train/trainer.hpp"
#include "train_command.hpp"

namespace solopo::cli {

struct TrainPlan {
  ModelText text;
  const ObjectiveEntry* entry = nullptr;
  ObjectiveOptions objective;  // every option set
  TrainContext context = TrainContext::short_prompt;
  std::size_t max_length = 0;
  std::optional<LoraConfig> lora;  // nothing: every weight is trained
  RecordFile records, eval;
  std::int64_t library_pairs = cuda::never_library;  // of a sequence, from which cuDNN is asked for attention
  TrainerOptions trainer;
};

// Reads tokenizer and records. Throws UsageError, DataError, ModelError.
TrainPlan make_train_plan(const TrainCommandOptions& options);

// The adapters in the cost model's terms.
[[nodiscard]] inline cost::Lora adapters_of(const TrainPlan& plan) {
  return plan.lora ? lora_shape(*plan.lora) : cost::Lora{};
}

// Whether the reference runs in training: its distributions are compared, or it follows the policy.
[[nodiscard]] inline bool reference_is_live(const TrainPlan& plan) {
  return plan.entry->statistic == Statistic::sequential_kl || plan.trainer.reference_update.every > 0;
}

// How the records are laid out for the model.
[[nodiscard]] inline CollateOptions layout_of(const TrainPlan& plan, const AnyObjective& objective) {
  return collate_options(objective, plan.context, plan.trainer.share_prefix, plan.trainer.long_gradient,
                         plan.trainer.passes);
}

// From how many query-key pairs of a sequence on cuDNN's attention is worth asking for on these records.
[[nodiscard]] std::int64_t library_pairs_of(const TrainPlan& plan);

// The resolved options, one "key: value" a line, ready to be a YAML file.
std::string describe_options(const TrainCommandOptions& options, const TrainPlan& plan);

// What became of the lines of a file, and how many tokens its records have.
std::string describe_records(const std::string& name, const RecordFile& file);

// The length limit of an option: 0 is the model's context. Throws UsageError past it.
std::size_t choose_max_length(std::int64_t wanted, const LlamaConfig& config);

}  // namespace solopo::cli
