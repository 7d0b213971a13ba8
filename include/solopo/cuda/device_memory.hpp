// The cost model's view of DeviceLlama: what it keeps on the device. Libraries' workspaces come on top.
#pragma once

#include <limits>

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

}  // namespace solopo::cuda
