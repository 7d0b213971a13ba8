// What the model has really computed, in the cost model's units: counted from the rows, tiles and targets of
// the batches it was given, so that the two can be compared to the last unit.
#pragma once

#include <cstdint>

#include "solopo/cost/flops.hpp"
#include "solopo/cost/work.hpp"
#include "solopo/kernels/attention_tile.hpp"
#include "solopo/model/computed_rows.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo {

// The work of one pass over a batch's own rows. Pairs are those the mask lets see each other; see
// computed_pairs.hpp.
[[nodiscard]] inline cost::Work work_of(const PackedSequences& batch) {
  return {.tokens = static_cast<cost::Count>(batch.tokens.size()),
          .pairs = kernels::attention_pairs(batch.tiles),
          .head_rows = static_cast<cost::Count>(batch.targets.size())};
}

// The same where the last layer computes some rows only: scored_rows(batch) is what Llama does.
[[nodiscard]] inline cost::Work work_of(const PackedSequences& batch, const ComputedRows& last) {
  cost::Work work = work_of(batch);
  work.last_layer_skipped_tokens = work.tokens;
  for (const RowRun& run : last.runs) work.last_layer_skipped_tokens -= run.end - run.begin;
  work.last_layer_skipped_pairs = work.pairs - kernels::attention_pairs(last.tiles);
  return work;
}

// The work of reading the batch's read prompts: the last layer stops at keys and values.
[[nodiscard]] inline cost::Work read_work_of(const PackedSequences& batch) {
  cost::Work work;
  cost::Count begin = 0;
  for (const std::int32_t end : batch.read_ends) {
    const cost::Count rows = end - begin, pairs = cost::triangle(rows);
    work += {
        .tokens = rows, .pairs = pairs, .last_layer_skipped_tokens = rows, .last_layer_skipped_pairs = pairs};
    begin = end;
  }
  return work;
}

// Passes of a model since it was made.
struct WorkCount {
  cost::Work forward;     // with or without keeping activations
  cost::Work backward;    // of those
  cost::Work recomputed;  // layers run again in a backward; its head rows are those whose logits were
};

// The operations of these passes on a model of this shape, with adapters or without.
[[nodiscard]] inline cost::Flops work_flops(const cost::ModelShape& shape, const WorkCount& count,
                                            const cost::Lora& lora = {}) {
  cost::Flops flops =
      cost::forward_flops(shape, count.forward, lora) + cost::backward_flops(shape, count.backward, lora);
  flops += cost::recompute_flops(shape, count.recomputed, cost::Recompute::layers_but_down, lora);
  flops += cost::inner_recompute_flops(shape, count.backward, lora);
  flops.head += cost::forward_flops(shape, count.recomputed).head;
  return flops;
}

}  // namespace solopo
