// The cost model's view of DeviceLlama: what it holds on the device. Libraries' workspaces come on top.
#pragma once

#include <limits>

#include "solopo/cost/count.hpp"
#include "solopo/cost/memory.hpp"
#include "solopo/cost/model_shape.hpp"
#include "solopo/cuda/llama.hpp"
#include "solopo/cuda/session.hpp"

namespace solopo::cuda {

[[nodiscard]] constexpr cost::MemoryOptions device_memory(const cost::ModelShape& shape,
                                                          DeviceStorage storage, bool recompute,
                                                          const cost::Lora& lora = {}) noexcept {
  cost::MemoryOptions out{
      .storage = storage == DeviceStorage::bfloat16 ? cost::bf16_storage : cost::float32_storage,
      .kept = recompute ? cost::Kept::layer_inputs : cost::Kept::everything,
      .head_tile_rows = DeviceLlamaOptions{}.head_chunk,
      .head_tile_columns = shape.vocabulary,
      .read_rows_at_once = std::numeric_limits<std::int32_t>::max(),  // a read prompt as a whole
      .lora = lora};
  out.storage.logit += out.storage.activation;  // their gradients are held beside them
  return out;
}

// Everything a training step holds at its peak; as cost::training_memory(), whose options come from
// device_memory().
[[nodiscard]] constexpr cost::MemoryBytes device_training_memory(const cost::ModelShape& shape,
                                                                 cost::Count rows, cost::Count head_rows,
                                                                 const cost::MemoryOptions& options,
                                                                 cost::Count read_rows = 0) {
  using cost::product, cost::sum;
  cost::MemoryBytes out = cost::training_memory(shape, rows, head_rows, options, read_rows);
  // Log-sum-exps are two float32 numbers a head.
  const cost::Count layers = options.kept == cost::Kept::everything ? shape.layers : 1;
  out.activations = sum(out.activations,
                        product(product(layers, rows), product(shape.heads, 8 - options.storage.activation)));
  // Our own attention sums gradients of keys and values for each head of the queries, in float32.
  out.key_sums = product(rows, sum(product(4, shape.heads), product(8, shape.query_width())));
  return out;
}

}  // namespace solopo::cuda
