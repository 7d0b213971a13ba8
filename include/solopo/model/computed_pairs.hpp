// What attention on a CPU computes beyond the pairs that its mask lets see each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "solopo/cost/count.hpp"
#include "solopo/kernels/attention.hpp"

namespace solopo {

// Query-key pairs that attention's products compute over `rows` rows, those included that a causal tile then
// masks: a block of 64 query rows meets every key that its last row sees. For n causal rows in whole blocks
// that is n (n + 64) / 2 pairs, where the mask has n (n + 1) / 2.
[[nodiscard]] inline cost::Count computed_pairs(std::span<const kernels::AttentionTile> tiles,
                                                std::int32_t rows) {
  cost::Count pairs = 0;
  for (std::int32_t begin = 0; begin < rows; begin += kernels::attention::q_block) {
    const std::int32_t end = std::min(rows, begin + kernels::attention::q_block);
    for (const kernels::attention::Part& part : kernels::attention::parts_of(tiles, begin, end))
      pairs += cost::Count(part.last - part.first) * (part.kv_end - part.kv_begin);
  }
  return pairs;
}

}  // namespace solopo
