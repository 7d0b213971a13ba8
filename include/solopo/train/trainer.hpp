// The training loop. It is no template of the objective (it holds an AnyObjective), only of the model.
// Records go through the model one by one; gradients of a batch accumulate; then one clipped AdamW step. An
// objective that couples pairs sees those of one step, and of an evaluation batch_size at a time, in order.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/train/batch_pass.hpp"
#include "solopo/train/checkpoint.hpp"
#include "solopo/train/closing_watch.hpp"
#include "solopo/train/learner.hpp"
#include "solopo/train/live_reference.hpp"
#include "solopo/train/observer.hpp"
#include "solopo/train/parameters.hpp"
#include "solopo/train/process_memory.hpp"
#include "solopo/train/record_order.hpp"
#include "solopo/train/restore_checkpoint.hpp"
#include "solopo/train/run_identity.hpp"
#include "solopo/train/run_length.hpp"
#include "solopo/train/run_lock.hpp"
#include "solopo/train/schedules.hpp"

namespace solopo {

// What to do when a checkpoint cannot be written (disk full): end the run, or warn and train on.
enum class SaveFailure { stop, warn };

struct TrainerOptions {
  RunLength length;
  std::size_t batch_size = 4;
  Schedule schedule;
  AdamWOptions adamw;
  double clip = 1;  // largest global gradient norm, 0: no clipping
  std::uint64_t seed = 0;
  TrainContext context = TrainContext::short_prompt;
  bool share_prefix = true;
  LongGradient long_gradient = LongGradient::full;
  Passes passes = Passes::one;           // or short_side_first
  std::int64_t full_gradient_every = 0;  // steps: under a response-only gradient each n-th is full, 0: none
  ReferenceUpdate reference_update;      // of the records' live reference

  std::int64_t eval_every = 0;  // steps, 0: never
  std::int64_t save_every = 0;  // steps, 0: only when stopped and at the end
  std::size_t keep_last = 2;
  SaveFailure save_failure = SaveFailure::stop;
  std::filesystem::path folder;  // for checkpoints, must exist; empty: none are written
  bool lock = true;              // false: the caller holds the folder's RunLock
  ModelWriter write_model;       // unset: checkpoints hold the bare model.safetensors
  bool resume = false;           // from the newest complete checkpoint in `folder`, if any
  RunIdentity identity;          // what else makes this run the same: objective's numbers, model, tokenizer
  std::vector<std::string> allow_change;   // settings that may differ on resume
  const std::atomic<int>* stop = nullptr;  // not 0: finish the step, save, return
};

struct TrainResult {
  bool interrupted = false;  // asked to stop before the last step
  std::int64_t steps = 0;    // done in all, those before a resume included
  std::int64_t best_step = -1;
  Metrics last;  // of the last step done in this process
};

template <PolicyModel Model>
class Trainer {
 public:
  // Keeps references to the model, whose weights `parameters` shows, to the data, and to the observer.
  // Throws ArgumentError for a setting out of range or reference log-probabilities that are missing.
  Trainer(Model& model, const Parameters& parameters, AnyObjective objective, TrainData data, TrainData eval,
          TrainerOptions options, TrainObserver& observer)
      : Trainer(std::make_unique<HostLearner>(parameters, options.adamw), nullptr, model,
                std::move(objective), data, eval, options, observer) {}

  // The same where the model's weights are the learner's, to which it keeps a reference; options.adamw is
  // what the learner was made with. Throws as above.
  Trainer(Model& model, Learner& learner, AnyObjective objective, TrainData data, TrainData eval,
          TrainerOptions options, TrainObserver& observer)
      : Trainer(nullptr, &learner, model, std::move(objective), data, eval, std::move(options), observer) {}

  // Trains to the end, or until asked to stop. Throws NonFiniteError (no update made), ResumeError,
  // ModelError when all checkpoints are damaged, IoError, Error when the folder is in use.
  TrainResult run() {
    std::optional<RunLock> lock;
    if (!options_.folder.empty()) {
      if (options_.lock) lock.emplace(options_.folder);
      if (options_.resume) {
        resume();
      } else if (!list_checkpoints(options_.folder).empty()) {
        throw Error(
            options_.folder.string() +
            " holds checkpoints of an earlier run; go on with it (--resume) or choose another folder");
      }
    }
    TrainResult result;
    observer_.on_begin(state_.step, options_.length.steps);
    while (state_.step < options_.length.steps) {
      if (stop_requested()) {
        result.interrupted = true;
        break;
      }
      result.last = step();
      observer_.on_step(state_.step, result.last);
      bool best = false;
      const bool ends = state_.step == options_.length.steps;
      if (due(options_.eval_every) || (ends && options_.eval_every > 0)) best = evaluate();
      move_reference();  // not before: the policy would be evaluated against itself
      if (best || ends || due(options_.save_every)) save();
    }
    if (result.interrupted) save();
    result.steps = state_.step;
    result.best_step = state_.best_step;
    return result;
  }

  [[nodiscard]] const TrainState& state() const noexcept { return state_; }

  // All settings that a resumed run must share.
  [[nodiscard]] RunIdentity identity() const {
    const auto number = [](double value) { return io::dump_json(value); };
    const TrainerOptions& o = options_;
    RunIdentity out = {{"objective", objective_.name()},
                       {"context", std::string(train_context_name(o.context))},
                       {"share_prefix", o.share_prefix ? "true" : "false"},
                       {"long_gradient", std::string(long_gradient_name(o.long_gradient))},
                       {"full_gradient_every", std::to_string(o.full_gradient_every)},
                       {"passes", std::string(passes_name(o.passes))},
                       {"ref_model_sync_steps", std::to_string(o.reference_update.every)},
                       {"ref_model_mixup_alpha", number(o.reference_update.mixup)},
                       {"data", records_digest(data_.records)},
                       {"eval_data", eval_.records.empty() ? "none" : records_digest(eval_.records)},
                       {"eval_every", std::to_string(o.eval_every)},
                       {"seed", std::to_string(o.seed)},
                       {"batch_size", std::to_string(o.batch_size)},
                       {"steps", std::to_string(o.length.steps)},
                       {"places", std::to_string(o.length.places)},
                       {"lr", number(o.schedule.peak)},
                       {"schedule", std::string(schedule_name(o.schedule.shape))},
                       {"warmup", std::to_string(o.schedule.warmup_steps)},
                       {"min_lr_ratio", number(o.schedule.minimum_ratio)},
                       {"clip", number(o.clip)},
                       {"weight_decay", number(o.adamw.weight_decay)},
                       {"adam_beta1", number(o.adamw.beta1)},
                       {"adam_beta2", number(o.adamw.beta2)},
                       {"adam_epsilon", number(o.adamw.epsilon)},
                       {"decay_vectors", o.adamw.decay_vectors ? "true" : "false"}};
    out.insert(out.end(), o.identity.begin(), o.identity.end());
    return out;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Trainer(std::unique_ptr<Learner> own, Learner* learner, Model& model, AnyObjective objective,
          TrainData data, TrainData eval, TrainerOptions options, TrainObserver& observer)
      : own_learner_(std::move(own)),
        learner_(learner ? *learner : *own_learner_),
        model_(model),
        objective_(std::move(objective)),
        data_(data),
        eval_(eval),
        options_(std::move(options)),
        observer_(observer),
        collate_(collate_options(objective_, options_.context, options_.share_prefix, options_.long_gradient,
                                 options_.passes)),
        order_(options_.seed, data.records.size()) {
    state_.objective = objective_.initial_state();
    if (options_.batch_size == 0) throw ArgumentError("batch_size", "must be 1 or more");
    if (options_.length.steps <= 0) throw ArgumentError("steps", "must be 1 or more");
    if (options_.long_gradient == LongGradient::response && !has_any(objective_.needs(), long_roles))
      throw ArgumentError("long_gradient", "response needs an objective with a long side, which " +
                                               objective_.name() + " has not; solopo:NAME has one");
    if (options_.passes != Passes::one) check_passes();
    if (options_.full_gradient_every < 0) throw ArgumentError("full_gradient_every", "must be 0 or more");
    if (!(options_.clip >= 0)) throw ArgumentError("clip", "must be 0 or more");
    check_reference_update(options_.reference_update);
    if (options_.reference_update.every > 0 && !(data_.live && needs_reference(objective_.needs()))) {
      throw ArgumentError("reference_update.every",
                          data_.live
                              ? objective_.name() + " reads no reference, so none can follow the policy"
                              : "needs a live reference, which the records do not have");
    }
    if (options_.reference_update.every > 0 &&
        data_.live->parameters().values.size() != learner_.parameters().values.size())
      throw ArgumentError(
          "reference_update.every",
          "needs a reference with weights of its own; adapters are trained against their base, "
          "which stays");
    require_reference(data_, "records");
    require_reference(eval_, "evaluation records");
  }

  [[nodiscard]] bool stop_requested() const noexcept { return options_.stop && options_.stop->load() != 0; }
  [[nodiscard]] bool due(std::int64_t every) const noexcept { return every > 0 && state_.step % every == 0; }

  void check_passes() const {
    if (options_.passes == Passes::everything_twice)
      throw ArgumentError("passes", "must be one or short_side_first");
    if (!has_any(objective_.needs(), long_roles))
      throw ArgumentError("passes", "short_side_first needs an objective with a long side, which " +
                                        objective_.name() + " has not");
    if (objective_.statistic() == Statistic::sequential_kl)
      throw ArgumentError("passes", "must be one: " + objective_.name() +
                                        " compares with a reference that ran on all of a record");
  }

  void require_reference(const TrainData& data, const char* name) const {
    if (data.live) return;
    if (objective_.statistic() == Statistic::sequential_kl && !data.records.empty())
      throw ArgumentError(name, "have no live reference, which " + objective_.name() + " compares with");
    for (unsigned r = 0; r < role_count && !data.records.empty(); ++r) {
      if (!has(objective_.needs(), response_roles[r].reference)) continue;
      if (!data.reference || data.reference->roles[r].size() != data.records.size()) {
        throw ArgumentError(name, "have no reference log-probabilities of " +
                                      std::string(response_roles[r].name) + ", which " + objective_.name() +
                                      " needs");
      }
      if (has(objective_.needs(), Needs::ref_statistic) &&
          data.reference->statistics[r].size() != data.records.size()) {
        throw ArgumentError(name, "have no reference statistics of " + std::string(response_roles[r].name) +
                                      ", which " + objective_.name() + " needs");
      }
    }
  }

  void resume() {
    const auto warn = [&](const std::string& message) { observer_.on_warning(message); };
    const std::optional<Checkpoint> found = newest_checkpoint(options_.folder, warn);
    if (!found) return;
    check_same_run(found->identity, identity(), options_.allow_change);
    const std::optional<Parameters> reference = changing_reference();
    restore_checkpoint(*found, learner_.parameters(), learner_.optimizer(),
                       reference ? &*reference : nullptr);
    learner_.store();
    if (reference) data_.live->changed();
    state_ = found->state;
    watch_.restore(state_.watch);
    saved_step_ = state_.step;
    saved_best_ = {state_.best_step, state_.best_loss};
  }

  // The weights of the reference when they change in training.
  [[nodiscard]] std::optional<Parameters> changing_reference() const {
    if (options_.reference_update.every == 0) return std::nullopt;
    return data_.live->parameters();
  }

  // How the records of the next step are laid out.
  [[nodiscard]] CollateOptions layout() const {
    CollateOptions out = collate_;
    const std::int64_t every = options_.full_gradient_every;
    if (every > 0 && (state_.step + 1) % every == 0) out.long_gradient = LongGradient::full;
    return out;
  }

  // Forward and backward over a batch, then the update.
  Metrics step() {
    const auto begin = Clock::now();
    const std::uint64_t first = static_cast<std::uint64_t>(state_.step) * options_.batch_size;
    const std::uint64_t left = options_.length.places > first ? options_.length.places - first : 1;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(options_.batch_size, left));
    const std::vector<std::size_t> batch = order_.batch(first, count);
    const double rate = options_.schedule(state_.step);
    if (!std::isfinite(rate)) fail("the learning rate is " + std::to_string(rate), batch, {});

    learner_.zero_gradients();
    BatchPass pass;
    NamedState objective_state = state_.objective;
    try {
      pass =
          accumulate_batch(model_, objective_, objective_state, data_, batch, layout(), learner_.gradients(),
                           [&](std::size_t i) { observer_.on_record(i + 1, count); });
    } catch (const NonFiniteError& error) {
      fail(error.what(), batch, {});
    }
    const BatchMetrics& means = pass.metrics;
    const double norm = learner_.gradient_norm();
    if (!std::isfinite(norm))
      fail("the gradient's norm is " + std::to_string(norm), batch, learner_.non_finite_gradient());
    learner_.step(rate, clip_scale(norm, options_.clip));

    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    state_.step += 1;
    state_.num_tokens += pass.rows;
    state_.objective = std::move(objective_state);
    state_.seconds += seconds;
    Metrics out;
    means.for_each([&](const char* name, double value) { out.set(name, value); });
    out.set("grad_norm", norm);
    out.set("learning_rate", rate);
    out.set("epoch", static_cast<double>(first + count) / static_cast<double>(data_.records.size()));
    out.set("num_tokens", static_cast<double>(state_.num_tokens));
    if (means.has_alignment()) watch_closing(means, out);
    state_.watch = watch_.state();
    out.set("tokens_per_second", static_cast<double>(pass.rows) / std::max(seconds, 1e-9));
    out.set("seconds", state_.seconds);
    out.set("peak_memory_bytes", peak_process_bytes());
    if (const std::uint64_t bytes = learner_.device_bytes(); bytes > 0)
      out.set("device_memory_bytes", static_cast<double>(bytes));
    return out;
  }

  // TR-DPO.
  void move_reference() {
    if (!options_.reference_update.due(state_.step)) return;
    learner_.fetch();
    update_reference(data_.live->parameters(), learner_.parameters(), options_.reference_update.mixup);
    data_.live->changed();
  }

  void watch_closing(const BatchMetrics& means, Metrics& out) {
    if (watch_.update(means.solo_ra_gap, means.solo_ra_reward_short)) {
      observer_.on_warning(
          "step " + std::to_string(state_.step) +
          ": the gap between short and long reward closes mostly because the short side falls (running "
          "mean " +
          std::to_string(watch_.state().short_side) + ", was " +
          std::to_string(watch_.state().short_at_widest) +
          " when the gap was widest); --stop-short-gradient or a smaller --alpha keeps it up");
    }
    if (const std::optional<double> share = watch_.long_share()) out.set("solo_ra/closing_from_long", *share);
  }

  // True when this evaluation is the best so far.
  bool evaluate() {
    if (eval_.records.empty()) return false;
    const auto begin = Clock::now();
    BatchMetrics means;
    for (std::size_t first = 0; first < eval_.records.size(); first += options_.batch_size) {
      std::vector<std::size_t> batch;
      for (std::size_t i = first; i < std::min(first + options_.batch_size, eval_.records.size()); ++i)
        batch.push_back(i);
      try {
        means.add(evaluate_batch(model_, objective_, state_.objective, eval_, batch, collate_).metrics);
      } catch (const NonFiniteError& error) {
        fail(std::string("evaluation: ") + error.what(), {}, {});
      }
      observer_.on_record(first + batch.size(), eval_.records.size());
    }
    Metrics out;
    means.for_each([&](const char* name, double value) { out.set(std::string("eval_") + name, value); });
    out.set("eval_seconds", std::chrono::duration<double>(Clock::now() - begin).count());
    const bool best = state_.best_step < 0 || means.loss < state_.best_loss;
    if (best) {
      state_.best_step = state_.step;
      state_.best_loss = means.loss;
    }
    observer_.on_eval(state_.step, out);
    return best;
  }

  void save() {
    if (options_.folder.empty() || state_.step == saved_step_) return;
    try {
      const std::optional<Parameters> reference = changing_reference();
      learner_.fetch();
      const std::filesystem::path at =
          write_checkpoint(options_.folder, state_, identity(), learner_.parameters(), learner_.optimizer(),
                           options_.write_model, reference ? &*reference : nullptr);
      saved_step_ = state_.step;
      saved_best_ = {state_.best_step, state_.best_loss};
      prune_checkpoints(options_.folder, options_.keep_last, state_.step, state_.best_step);
      observer_.on_save(state_.step, at);
    } catch (const IoError& error) {
      if (options_.save_failure == SaveFailure::stop) throw;
      std::tie(state_.best_step, state_.best_loss) = saved_best_;  // the best that there is a checkpoint of
      observer_.on_warning(std::string("no checkpoint at step ") + std::to_string(state_.step) + ": " +
                           error.what());
    }
  }

  // Names step, cause, the first bad tensor and the batch's records. Weights and optimiser are as before the
  // step.
  [[noreturn]] void fail(const std::string& cause, const std::vector<std::size_t>& batch,
                         std::string tensor) {
    std::string message = "step " + std::to_string(state_.step + 1) + ": " + cause;
    if (tensor.empty()) {
      learner_.fetch();
      tensor = first_non_finite(learner_.parameters().values, learner_.parameters().slots);
      message +=
          tensor.empty() ? "; all trained numbers are finite" : "; first bad tensor: weights of " + tensor;
    } else {
      message += "; first bad tensor: gradient of " + tensor;
    }
    if (!batch.empty()) message += "; records of the batch:";
    for (std::size_t i = 0; i < batch.size(); ++i) {
      message += (i == 0 ? " " : ", ") + printable(data_.records[batch[i]].id);
    }
    throw NonFiniteError(message + "; nothing was updated");
  }

  std::unique_ptr<Learner> own_learner_;  // unless the caller's is used
  Learner& learner_;
  Model& model_;
  AnyObjective objective_;
  TrainData data_, eval_;
  TrainerOptions options_;
  TrainObserver& observer_;
  CollateOptions collate_;
  RecordOrder order_;
  TrainState state_;
  ClosingWatch watch_;
  std::int64_t saved_step_ = -1;
  std::pair<std::int64_t, double> saved_best_{-1, 0};
};

}  // namespace solopo
