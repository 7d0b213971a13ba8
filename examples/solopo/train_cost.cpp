#include "train_cost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "progress.hpp"
#include "solopo/cuda/device_memory.hpp"
#include "solopo/kernels/native_bf16.hpp"
#include "solopo/model/model_cost.hpp"
#include "solopo/model/work_count.hpp"
#include "solopo/train/collate.hpp"
#include "solopo/train/process_memory.hpp"

namespace solopo::cli {
namespace {

constexpr double gib = 1024.0 * 1024.0 * 1024.0;
constexpr std::int64_t few_mlp_rows = 1024;  // enough for products at full speed

AnyObjective objective_of(const TrainPlan& plan) {
  return plan.entry->make(plan.entry->name, plan.objective);
}

// A record as it would be with at most `tokens` tokens of prompt and response.
PreferenceRecord shortened(PreferenceRecord record, std::size_t tokens) {
  const std::size_t response = std::max({record.chosen.size(), record.rejected.size(), record.third.size()});
  const std::size_t prompt = tokens > response ? tokens - response : 1;
  for (auto* ids : {&record.prompt, &record.prompt_long}) ids->resize(std::min(ids->size(), prompt));
  return record;
}

// What changes the memory of a run on the same records.
struct Ways {
  bool recompute = false, share_prefix = true;
  LongGradient long_gradient = LongGradient::full;
  Passes passes = Passes::one;
  cost::Lora lora{};
  std::optional<cuda::DeviceStorage> device{};  // nothing: the CPU
  std::int64_t mlp_rows = 0;                    // 0: all; of the CPU
};

// The memory of training on a batch, for a reference that runs beside it too.
cost::MemoryBytes memory_of(const PackedSequences& batch, const cost::ModelShape& shape, const Ways& ways,
                            const TrainPlan& plan) {
  const auto read = static_cast<cost::Count>(batch.read_tokens.size());
  cost::Count begin = 0, longest = 0;
  for (const std::int32_t end : batch.read_ends) {
    longest = std::max(longest, end - begin);
    begin = end;
  }
  const cost::Work work = work_of(batch);
  cost::MemoryOptions options = ways.device
                                    ? cuda::device_memory(shape, *ways.device, ways.recompute, ways.lora)
                                    : llama_memory(ways.recompute, ways.lora, ways.mlp_rows);
  options.read_rows_at_once = std::min(options.read_rows_at_once, longest);
  cost::MemoryOptions own = options;
  if (plan.entry->statistic == Statistic::sequential_kl) own.storage.logit *= 2;  // the reference's tile too
  cost::MemoryBytes out = ways.device
                              ? cuda::device_training_memory(shape, work.tokens, work.head_rows, own, read)
                              : cost::training_memory(shape, work.tokens, work.head_rows, own, read);
  if (!reference_is_live(plan)) return out;
  if (ways.lora.rank == 0) out.weights *= 2;  // its own copy, or the base of adapters
  options.kept = cost::Kept::nothing;
  options.lora = {};
  out.workspace = cost::sum(
      out.workspace, cost::activation_memory(shape, work.tokens, work.head_rows, options, read).step());
  return out;
}

Ways ways_of(const TrainCommandOptions& options, const TrainPlan& plan) {
  const TrainerOptions& t = plan.trainer;
  Ways out{options.recompute, t.share_prefix,
           t.full_gradient_every > 0 ? LongGradient::full : t.long_gradient, t.passes, adapters_of(plan)};
  out.mlp_rows = options.mlp_rows;
  if (options.where.on_cuda()) out.device = options.where.storage();
  return out;
}

// What a run does with a record; a cached reference is counted apart.
cost::TrainingOptions training_of(const TrainCommandOptions& options, const TrainPlan& plan) {
  cost::TrainingOptions out = llama_training(options.recompute, adapters_of(plan));
  out.coupled = objective_of(plan).is_coupled();
  out.compares = plan.entry->statistic == Statistic::sequential_kl;
  out.reference = reference_is_live(plan) ? cost::Reference::every_step : cost::Reference::none;
  return out;
}

bool has_two_passes(const TrainPlan& plan) {
  return plan.entry->needs_long_prompt && plan.entry->statistic != Statistic::sequential_kl;
}

// The options that lead from one to the other.
std::string difference(const Ways& from, const Ways& to, const TrainPlan& plan) {
  std::vector<std::string> options;
  if (from.lora.rank != to.lora.rank) options.push_back(fmt::format("--lora-rank {}", to.lora.rank));
  if (from.recompute != to.recompute) options.push_back("--recompute");
  if (from.mlp_rows != to.mlp_rows) options.push_back(fmt::format("--mlp-rows {}", to.mlp_rows));
  if (from.passes != to.passes) options.push_back("--passes two-pass");
  if (from.share_prefix != to.share_prefix) options.push_back("--share-prefix");
  if (from.long_gradient != to.long_gradient)
    options.push_back(plan.trainer.full_gradient_every > 0 ? "--full-gradient-every 0"
                                                           : "--long-gradient response");
  return fmt::format("{}", fmt::join(options, " with "));
}

// Where layers are run again the MLP's arrays are most of what one layer needs.
std::vector<std::int64_t> mlp_rows_to_try(const Ways& now, bool recompute) {
  std::vector<std::int64_t> out = {now.mlp_rows};
  if (recompute && !now.device && (now.mlp_rows == 0 || now.mlp_rows > few_mlp_rows))
    out.push_back(few_mlp_rows);
  return out;
}

// What training on all records holds in the end, weights and optimiser included; `tokens` above 0 shortens
// the records. `largest` is the one with the largest pass and `rows` that pass's.
cost::MemoryBytes peak_memory(const TrainPlan& plan, const Ways& ways, std::size_t tokens = 0,
                              const PreferenceRecord** largest = nullptr, cost::Count* rows = nullptr) {
  const cost::ModelShape shape = model_shape(plan.text.config);
  CollateOptions layout = layout_of(plan, objective_of(plan));
  layout.share_prefix = ways.share_prefix;
  layout.passes = ways.passes;
  // Where some steps are full the others' read keys stay beside them.
  std::vector<LongGradient> gradients = {ways.long_gradient};
  if (plan.trainer.full_gradient_every > 0 && ways.long_gradient == LongGradient::full)
    gradients.push_back(LongGradient::response);
  cost::MemoryBytes held;
  cost::Count most = 0;
  for (const LongGradient gradient : gradients) {
    layout.long_gradient = gradient;
    for (const PreferenceRecord& record : plan.records.records)
      for (const Collated& batch :
           collate_passes(tokens > 0 ? shortened(record, tokens) : record, layout, Side::policy)) {
        const cost::MemoryBytes memory = memory_of(batch.sequences, shape, ways, plan);
        held = held.grown_to(memory);
        if (memory.total() <= most) continue;
        most = memory.total();
        if (largest != nullptr) *largest = &record;
        if (rows != nullptr) *rows = static_cast<cost::Count>(batch.sequences.tokens.size());
      }
  }
  return held;
}

// The work of the records; `scored` is what runs without a gradient before it runs with one.
cost::RecordWork work_on(const std::vector<PreferenceRecord>& records, const CollateOptions& layout,
                         Side side) {
  cost::RecordWork work;
  if (roles_on(layout.needs, side) == Needs::none) return work;
  for (const PreferenceRecord& record : records) {
    const std::vector<Collated> batches = collate_passes(record, layout, side);
    for (const Collated& batch : batches) {
      const cost::Work rows = work_of(batch.sequences, scored_rows(batch.sequences));
      work.differentiated += rows;
      work.read += read_work_of(batch.sequences);
      if (side == Side::policy && &batch != &batches.back()) work.scored += rows;
    }
  }
  return work;
}

cost::Work forward_work(const std::vector<PreferenceRecord>& records, const CollateOptions& layout,
                        Side side) {
  const cost::RecordWork work = work_on(records, layout, side);
  return work.differentiated + work.read;
}

// "1.23 GiB", "45.6 MiB".
std::string in_bytes(cost::Count bytes) {
  const double value = static_cast<double>(bytes);
  return value < gib ? fmt::format("{:.1f} MiB", value * 1024 / gib) : fmt::format("{:.2f} GiB", value / gib);
}

// "1.23 TFLOP".
std::string in_flop(double flops) {
  const char* units[] = {"MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"};
  double value = flops / 1e6;
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.3g} {}", value, units[unit]);
}

std::string parts_of(const cost::Flops& flops) {
  const double all = std::max(flops.total(), 1.0);
  return fmt::format("linear layers {:.0f} %, attention {:.0f} %, head {:.0f} %", 100 * flops.linear / all,
                     100 * flops.attention / all, 100 * flops.head / all);
}

// The longest --max-length with which the run fits into `limit`; 0: none that leaves something of a prompt.
std::size_t fitting_length(const TrainPlan& plan, const Ways& ways, cost::Count limit) {
  std::size_t low = 0, high = 0, response = 0;
  for (const PreferenceRecord& record : plan.records.records) {
    response = std::max({response, record.chosen.size(), record.rejected.size(), record.third.size()});
    high = std::max({high, record.prompt.size(), record.prompt_long.size()});
  }
  high += response;
  while (low < high) {
    const std::size_t middle = low + (high - low + 1) / 2;
    if (peak_memory(plan, ways, middle).total() <= limit) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low > response ? low : 0;
}

}  // namespace

bool choose_passes(const TrainCommandOptions& options, TrainPlan& plan, std::int64_t room) {
  if (options.passes != "auto" || !has_two_passes(plan)) return false;
  const auto fits = [&](Passes passes) {
    Ways ways = ways_of(options, plan);
    ways.passes = passes;
    return peak_memory(plan, ways).total() <= room;
  };
  if (fits(Passes::one) || !fits(Passes::short_side_first)) return false;
  plan.trainer.passes = Passes::short_side_first;
  return true;
}

TrainCost train_cost(const TrainCommandOptions& options, const TrainPlan& plan) {
  TrainCost out;
  const AnyObjective objective = objective_of(plan);
  const CollateOptions layout = layout_of(plan, objective);
  const cost::ModelShape shape = model_shape(plan.text.config);
  const cost::Lora lora = adapters_of(plan);
  out.records = plan.records.records.size();
  const cost::RecordWork work = work_on(plan.records.records, layout, Side::policy);
  out.policy = work.differentiated;
  out.read = work.read;
  const cost::TrainingOptions training = training_of(options, plan);
  const cost::Work reference = forward_work(plan.records.records, layout, Side::reference);
  const cost::Work eval_reference = forward_work(plan.eval.records, layout, Side::reference);
  out.evaluation = forward_work(plan.eval.records, layout, Side::policy);
  const bool live = reference_is_live(plan);  // each time a record is read
  if (!live) out.reference = reference + eval_reference;
  const auto flops_of = [&](const cost::RecordWork& trained) {
    cost::TrainingOptions policy = training;
    policy.reference = cost::Reference::none;
    cost::Flops flops = cost::record_flops(shape,
                                           {.differentiated = trained.differentiated,
                                            .read = trained.read + trained.scored,
                                            .scored = trained.differentiated + trained.read},
                                           policy);
    if (live) flops += cost::forward_flops(shape, reference);
    return flops;
  };
  out.flops = flops_of(work);
  if (const std::int64_t every = plan.trainer.full_gradient_every; every > 0) {
    CollateOptions full = layout;
    full.long_gradient = LongGradient::full;
    const double share = 1 / static_cast<double>(every);
    out.flops = (1 - share) * out.flops + share * flops_of(work_on(plan.records.records, full, Side::policy));
  }
  out.reference_flops = cost::forward_flops(shape, out.reference, lora);
  out.evaluation_flops = cost::forward_flops(shape, out.evaluation, lora);
  if (live) out.evaluation_flops += cost::forward_flops(shape, eval_reference);
  if (training.compares) out.evaluation_flops.head += cost::forward_flops(shape, out.evaluation).head;
  const PreferenceRecord* largest = nullptr;
  out.memory = peak_memory(plan, ways_of(options, plan), 0, &largest, &out.largest_rows);
  if (largest != nullptr) out.largest = largest->id;
  if (!options.where.on_cuda()) out.program = static_cast<cost::Count>(peak_process_bytes());
  if (!options.where.on_cuda() && options.where.is_bf16())
    out.program = cost::sum(out.program, static_cast<cost::Count>(kernels::NativeBf16Product::held_bytes));
  return out;
}

std::optional<AgainstLong> against_long(const TrainCommandOptions& options, const TrainPlan& plan,
                                        const TrainCost& cost) {
  const cost::ModelShape shape = model_shape(plan.text.config);
  const cost::TrainingOptions training = training_of(options, plan);
  double plain = 0, shared = 0;
  for (const PreferenceRecord& r : plan.records.records) {
    if (r.prompt.empty() || r.prompt_long.empty() || r.chosen.empty() || r.rejected.empty())
      return std::nullopt;
    const auto size = [](const std::vector<std::int32_t>& ids) {
      return static_cast<cost::Count>(ids.size());
    };
    const cost::RecordLengths lengths{size(r.prompt), size(r.prompt_long), size(r.chosen), size(r.rejected)};
    const auto flops = [&](const cost::RecordWork& work) {
      return cost::record_flops(shape, work, training).total();
    };
    plain += flops(cost::record_work(lengths, {.sides = cost::Sides::pair_long}));
    shared += flops(llama_work(lengths, {.sides = cost::Sides::pair_long, .share_prefix = true}));
  }
  return AgainstLong{cost.flops.total() / plain, cost.flops.total() / shared};
}

std::string describe_cost(const TrainCommandOptions& options, const TrainPlan& plan, const TrainCost& cost) {
  const double records = static_cast<double>(std::max<std::size_t>(cost.records, 1));
  const auto mean = [&](cost::Count all) { return static_cast<double>(all) / records; };
  const double batch = static_cast<double>(plan.trainer.batch_size);
  std::string out = fmt::format(
      "# a record in the mean: {:.0f} tokens through the layers (at most {}), {:.4g} query-key "
      "pairs, {:.0f} tokens scored\n",
      mean(cost.policy.tokens), cost.largest_rows, mean(cost.policy.pairs), mean(cost.policy.head_rows));
  if (cost.read.tokens > 0)
    out += fmt::format("#   and {:.0f} tokens read without a gradient\n", mean(cost.read.tokens));
  const double step = cost.flops.total() / records * batch;
  out += fmt::format("# arithmetic: {} a record ({}), {} a step\n", in_flop(cost.flops.total() / records),
                     parts_of(cost.flops), in_flop(step));
  if (cost.reference_flops.total() > 0)
    out += fmt::format("# reference, once: {}\n", in_flop(cost.reference_flops.total()));
  const cost::MemoryBytes& m = cost.memory;
  const std::string rest = options.where.on_cuda() ? ", without what the GPU's libraries take"
                                                   : ", program and records " + in_bytes(cost.program);
  out += fmt::format(
      "# memory{}: {} = weights {}, gradients {}, optimiser {}, activations {}, workspace {}, head {}{}\n"
      "#   activations of the largest record, '{}' ({} tokens)\n",
      options.where.on_cuda() ? " of the GPU" : "", in_bytes(cost.peak_bytes()), in_bytes(m.weights),
      in_bytes(m.gradients), in_bytes(m.optimiser), in_bytes(cost::sum(m.activations, m.read_keys)),
      in_bytes(cost::sum(m.workspace, m.key_sums)), in_bytes(m.head), rest, printable(cost.largest),
      cost.largest_rows);
  if (const auto ratio = against_long(options, plan, cost)) {
    out += fmt::format(
        "# against Long-PO on these records: {:.2f} of its arithmetic as it usually runs, {:.2f} when it "
        "shares "
        "prompts too\n",
        ratio->plain, ratio->shared);
  }
  return out;
}

std::string describe_time(const TrainPlan& plan, const TrainCost& cost, const Calibration& rates) {
  const double records = static_cast<double>(std::max<std::size_t>(cost.records, 1));
  const double record = rates.seconds(cost.flops) / records;
  const double training = record * static_cast<double>(plan.trainer.length.places);
  const double reference = rates.seconds(cost.reference_flops);
  double evaluation = 0;
  if (const std::int64_t every = plan.trainer.eval_every; every > 0) {
    const std::int64_t times = (plan.trainer.length.steps + every - 1) / every;
    evaluation = static_cast<double>(times) * rates.seconds(cost.evaluation_flops);
  }
  std::string out =
      fmt::format("# time, an estimate: {:.3g} s a record, {} in all (training {}", record,
                  format_duration(training + reference + evaluation), format_duration(training));
  if (reference > 0) out += ", reference " + format_duration(reference);
  if (evaluation > 0) out += ", evaluation " + format_duration(evaluation);
  return out +
         fmt::format(
             ")\n#   from GFLOP/s measured now: layers {:.0f} ({} rows), attention {:.0f}, head {:.0f}; "
             "the optimiser and files are not in it\n",
             rates.linear / 1e9, rates.rows, rates.attention / 1e9, rates.head / 1e9);
}

std::string describe_free_memory(const TrainCost& cost, const MachineMemory& machine) {
  // What the program holds already is not free, and not needed again.
  const cost::Count needed = cost.memory.total();
  if (needed <= machine.available) return "";
  return fmt::format(
      "the run needs {} more, and only {} of memory are free now; other programs hold the rest",
      in_bytes(needed), in_bytes(machine.available));
}

std::int64_t memory_limit(const TrainCommandOptions& options, const MachineMemory& machine) {
  return options.memory > 0 ? static_cast<std::int64_t>(options.memory * gib) : machine.total;
}

void require_memory(const TrainCommandOptions& options, const TrainPlan& plan, const TrainCost& cost,
                    std::int64_t limit) {
  if (cost.peak_bytes() <= limit) return;
  const cost::MemoryBytes& m = cost.memory;
  std::string message = fmt::format(
      "the run needs {}, and {} {}: weights, gradients and optimiser take {}, the largest record ({} tokens) "
      "{}",
      in_bytes(cost.peak_bytes()),
      options.memory > 0 ? "--memory allows"
                         : (options.where.on_cuda() ? "the device has" : "this machine has"),
      in_bytes(limit), in_bytes(m.model_state()), cost.largest_rows, in_bytes(m.step()));
  const cost::Count room = limit - cost.program;
  // From what changes nothing but time, over what changes the gradient, to what changes the data.
  const Ways now = ways_of(options, plan);
  if (m.model_state() >= room) {
    for (const bool recompute : {now.recompute, true})
      for (const std::int64_t mlp_rows : mlp_rows_to_try(now, recompute)) {
        Ways frozen = now;
        frozen.recompute = recompute;
        frozen.mlp_rows = mlp_rows;
        frozen.lora.rank = now.lora.rank > 0 ? now.lora.rank : 16;
        const cost::Count needed = cost::sum(peak_memory(plan, frozen).total(), cost.program);
        if (now.lora.rank == 0 && needed <= limit)
          throw Error(message + fmt::format("; {}, adapters beside frozen weights, would fit, with {}",
                                            difference(now, frozen, plan), in_bytes(needed)));
      }
    throw Error(message + "; no option makes room for this model's weights, a smaller model would fit");
  }
  const Passes fewest_rows = has_two_passes(plan) ? Passes::short_side_first : Passes::one;
  std::vector<LongGradient> gradients = {now.long_gradient};
  if (plan.entry->needs_long_prompt) gradients.push_back(LongGradient::response);
  for (const LongGradient gradient : gradients)
    for (const bool recompute : {now.recompute, true})
      for (const std::int64_t mlp_rows : mlp_rows_to_try(now, recompute))
        for (const Passes passes : {now.passes, fewest_rows})
          for (const bool share : {now.share_prefix, true}) {
            const Ways ways{recompute, share, gradient, passes, now.lora, now.device, mlp_rows};
            const cost::Count needed = cost::sum(peak_memory(plan, ways).total(), cost.program);
            if (needed > limit) continue;
            throw Error(message + fmt::format("; {} would fit, with {}", difference(now, ways, plan),
                                              in_bytes(needed)));
          }
  Ways least = now;
  least.recompute = least.share_prefix = true;
  least.mlp_rows = mlp_rows_to_try(now, true).back();
  std::string what = difference(now, least, plan);
  if (!what.empty()) what += " with ";
  if (options.passes == "auto") least.passes = fewest_rows;  // it takes them by itself
  const std::size_t length = fitting_length(plan, least, room);
  if (length == 0) throw Error(message + "; no length of records would fit, a smaller model might");
  throw Error(message +
              fmt::format("; {}--max-length {} --too-long middle (or drop) would fit", what, length));
}

}  // namespace solopo::cli
