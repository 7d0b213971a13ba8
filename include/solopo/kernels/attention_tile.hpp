// Which queries see which keys, as a list of tiles; see attention.hpp.
#pragma once

#include <cstdint>
#include <span>

#include "solopo/core/view.hpp"

namespace solopo::kernels {

// Query rows [q_begin, q_end) see key rows [kv_begin, kv_end). causal: the last query row sees all of them,
// each row before it one fewer. A query row may be in several tiles; no key may be seen twice by one row.
// read: the keys are rows of KeyValues, not of the batch itself.
struct AttentionTile {
  std::int32_t q_begin, q_end, kv_begin, kv_end;
  bool causal;
  bool read = false;
};

// Keys and values that another pass computed; constants to the gradient.
template <class T>
struct KeyValues {
  MatrixView<const T> k, v;  // (K, kv_heads d) each, keys rotated
};

// Query-key pairs a list of tiles computes: what attention costs.
inline std::int64_t attention_pairs(std::span<const AttentionTile> tiles) noexcept {
  std::int64_t pairs = 0;
  for (const AttentionTile& t : tiles) {
    const std::int64_t q = t.q_end - t.q_begin, kv = t.kv_end - t.kv_begin;
    pairs += t.causal ? q * kv - q * (q - 1) / 2 : q * kv;
  }
  return pairs;
}

}  // namespace solopo::kernels
