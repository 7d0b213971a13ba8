// `solopo train`: fine-tune a model on preference records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "console.hpp"
#include "device.hpp"
#include "solopo/objectives/objective_options.hpp"

namespace solopo::cli {

// One member for each flag of the command line and each key of the YAML file, with its default.
struct TrainCommandOptions {
  // Input and output.
  std::filesystem::path model;      // --model: Hugging Face folder or GGUF file
  std::filesystem::path data;       // --data: JSONL of preference records
  std::filesystem::path out;        // --out: folder for the result, checkpoints, metrics.jsonl
  std::filesystem::path eval_data;  // --eval-data: held-out preference records, empty: none
  std::string chat_template;        // --template: chatml, llama3, qwen, plain; empty: the model's own

  // Objective.
  std::string objective = "solopo:dpo";  // --objective: a name of the registry, or longpo
  std::string context = "short";         // --context: short, long, expand
  ObjectiveOptions objective_options;    // --alpha, --beta, ...; unset: the objective's own default

  std::string long_gradient = "full";    // --long-gradient: full, response
  std::int64_t full_gradient_every = 0;  // --full-gradient-every: steps of which one is full, 0: none

  std::int64_t ref_model_sync_steps = 0;  // --ref-model-sync-steps: the reference follows, 0: never
  double ref_model_mixup_alpha = 0.6;     // --ref-model-mixup-alpha: how far it moves to the policy

  // Adapters.
  std::filesystem::path adapter;     // --adapter: train these adapters on
  std::int64_t lora_rank = 0;        // --lora-rank: of adapters beside frozen weights, 0: all are trained
  double lora_alpha = 0;             // --lora-alpha: adapters count alpha / rank, 0: twice the rank
  std::string lora_targets = "all";  // --lora-targets: all, attention, mlp, or names of maps with commas

  // Optimiser.
  double lr = 2e-5;                 // --lr: peak learning rate
  std::string schedule = "cosine";  // --schedule: constant, linear, cosine
  double warmup = 0.1;              // --warmup: below 1 a share of the steps, else a number of steps
  double min_lr_ratio = 0;          // --min-lr-ratio: what is left of the peak at the last step
  double epochs = 1;                // --epochs: passes over the records; not used when max_steps is set
  std::int64_t max_steps = 0;       // --max-steps: optimiser steps, 0: from epochs
  std::int64_t batch_size = 4;      // --batch-size: records a step, accumulated one by one
  double clip = 1;                  // --clip: largest global gradient norm, 0: no clipping
  double weight_decay = 0;          // --weight-decay: decoupled, on matrices only
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  std::uint64_t seed = 0;  // --seed: order of the records

  // Records.
  std::int64_t max_length = 0;      // --max-length: tokens of prompt and response, 0: the model's context
  std::string too_long = "refuse";  // --too-long: refuse, drop, middle (cut the middle of the context)
  std::int64_t max_bad = 0;         // --max-bad: unreadable lines to leave out before giving up
  bool keep_equal = false;          // --keep-equal: keep records whose two responses are the same

  // The run.
  std::int64_t eval_every = 50;           // --eval-every: steps between evaluations on eval_data
  std::int64_t save_every = 100;          // --save-every: steps between checkpoints
  std::int64_t keep_last = 2;             // --keep-last: checkpoints kept besides the best
  std::string on_save_error = "stop";     // --on-save-error: stop, warn (train on with the older checkpoint)
  bool resume = false;                    // --resume: go on from the newest complete checkpoint in out
  std::vector<std::string> allow_change;  // --allow-change KEY: settings that may differ on resume
  bool dry_run = false;         // --dry-run: resolved options, token statistics and cost, no training
  bool recompute = false;       // --recompute: compute layers again in the backward pass
  std::int64_t mlp_rows = 0;    // --mlp-rows: rows the MLP works on at once, 0: all
  bool share_prefix = true;     // --no-share-prefix clears it
  std::string passes = "auto";  // --passes: together, two-pass, auto (two-pass when the memory asks for it)
  std::int64_t threads = 0;     // --threads: 0: as many as the machine has
  double memory = 0;            // --memory: GiB the run may take, 0: what the machine or the device has
  DeviceOptions where;          // --device, --dtype, --no-deterministic
};

// Every problem that can be seen before a file is opened for reading or a model loaded, one a line; empty:
// none.
[[nodiscard]] std::vector<std::string> train_option_problems(const TrainCommandOptions& options);

// Trains. Returns 0, or 128 + the signal's number (130, 143) when it stopped and saved.
// Throws UsageError with all problems of the options in one message, DataError, ModelError, IoError, Error.
int run_train(const TrainCommandOptions& options, const Console& console);

}  // namespace solopo::cli
