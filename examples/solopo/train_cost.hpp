// What a training run will compute, hold and take, from its records before a weight is read.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "calibration.hpp"
#include "machine_memory.hpp"
#include "solopo/cost/flops.hpp"
#include "solopo/cost/memory.hpp"
#include "solopo/cost/scheme.hpp"
#include "train_plan.hpp"

namespace solopo::cli {

struct TrainCost {
  std::size_t records = 0;  // of the training file
  cost::Work policy;        // of all of them, each trained once
  cost::Work read;          // of them, prompts read without a gradient
  cost::Work reference;     // one forward of a reference that is asked once, on all records
  cost::Work evaluation;    // one forward of the policy on held-out records
  cost::Flops flops, reference_flops, evaluation_flops;
  cost::MemoryBytes memory;  // at the peak, that is with the largest record
  std::string largest;       // its id
  cost::Count largest_rows = 0;
  cost::Count program = 0;  // bytes the program holds already: itself, the tokenizer, the records

  [[nodiscard]] cost::Count peak_bytes() const { return cost::sum(memory.total(), program); }
};

[[nodiscard]] TrainCost train_cost(const TrainCommandOptions& options, const TrainPlan& plan);

// Sets the plan's passes where they are left to us (--passes auto): two when one does not fit into `room`
// bytes, what the program holds already not counted, and two do. Returns whether it took two.
bool choose_passes(const TrainCommandOptions& options, TrainPlan& plan, std::int64_t room);

// This run over Long-PO on the same records (chosen and rejected under the long prompt), without and with
// prompts shared there. Nothing when the records do not have both prompts and both responses.
struct AgainstLong {
  double plain = 0, shared = 0;
};
[[nodiscard]] std::optional<AgainstLong> against_long(const TrainCommandOptions& options,
                                                      const TrainPlan& plan, const TrainCost& cost);

// Work, memory and time in lines that begin with '#'.
[[nodiscard]] std::string describe_cost(const TrainCommandOptions& options, const TrainPlan& plan,
                                        const TrainCost& cost);
[[nodiscard]] std::string describe_time(const TrainPlan& plan, const TrainCost& cost,
                                        const Calibration& rates);

// A note when less memory is free now than the run needs, else empty.
[[nodiscard]] std::string describe_free_memory(const TrainCost& cost, const MachineMemory& machine);

// The memory the run may take [bytes]: --memory, or the machine's.
[[nodiscard]] std::int64_t memory_limit(const TrainCommandOptions& options, const MachineMemory& machine);

// Throws Error when the run cannot fit into `limit` bytes: what it needs, what there is, and what would fit.
void require_memory(const TrainCommandOptions& options, const TrainPlan& plan, const TrainCost& cost,
                    std::int64_t limit);

}  // namespace solopo::cli
