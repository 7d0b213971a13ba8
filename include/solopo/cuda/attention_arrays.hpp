// What attention reads and writes on a device, the same for every kernel that computes it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "solopo/core/view.hpp"
#include "solopo/cuda/attention_plan.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/kernels/attention_tile.hpp"

namespace solopo::cuda {

// What a row in no tile has as its log-sum-exp.
inline constexpr float no_keys = -3.4028235e38f;

template <class T>
struct AttentionArrays {
  int heads = 0, kv_heads = 0, head_dim = 0;
  float factor = 0;  // of scores: 1 / sqrt(head_dim)
  std::int32_t rows = 0;
  MatrixView<const T> q, k, v;                   // (S, heads d), (S, kv_heads d) twice; rotated
  kernels::KeyValues<T> read;                    // (K, kv_heads d)
  MatrixView<T> out;                             // (S, heads d), written by the forward
  float* log_sum_exp = nullptr;                  // (heads, S), likewise
  MatrixView<const T> dout;                      // (S, heads d)
  float* delta = nullptr;                        // (heads, S), sum of out * dout
  MatrixView<T> dq, dk, dv;                      // as q, k, v; written by the backward
  float *dk_part = nullptr, *dv_part = nullptr;  // (S, heads d), workspace
  const PlanBlock *query_blocks = nullptr, *key_blocks = nullptr;
  const TileRange *query_tiles = nullptr, *key_tiles = nullptr;

  [[nodiscard]] SOLOPO_HD int group() const noexcept { return heads / kv_heads; }
  // Where log_sum_exp and delta have a row of a head.
  [[nodiscard]] SOLOPO_HD std::ptrdiff_t at(int row, int head) const noexcept {
    return static_cast<std::ptrdiff_t>(head) * rows + row;
  }
};

// Blocks that share the rows of one plan block in the two kernels below.
inline constexpr int plan_slices = 8;

// delta of the rows of plan block x, of every head, slice y; a warp a row and head.
template <class T>
struct AttentionDelta {
  AttentionArrays<T> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const PlanBlock rows = a.query_blocks[block.x()];
    const int lane = block.thread() % warp_size, warps = block.threads() / warp_size;
    for (int i = block.y() * warps + block.thread() / warp_size; i < (rows.end - rows.begin) * a.heads;
         i += warps * plan_slices) {
      const int row = rows.begin + i / a.heads, h = i % a.heads;
      const T* const o = a.out.row(row) + h * a.head_dim;
      const T* const g = a.dout.row(row) + h * a.head_dim;
      float sum = 0;
      for (int e = lane; e < a.head_dim; e += warp_size)
        sum += static_cast<float>(o[e]) * static_cast<float>(g[e]);
      for (int mask = warp_size / 2; mask > 0; mask /= 2) sum += block.shuffle_xor(sum, mask);
      if (lane == 0) a.delta[a.at(row, h)] = sum;
    }
  }
};

// dk and dv of the keys of plan block x, slice y: the parts of the query heads that share a key head, in
// order.
template <class T>
struct AttentionAddGroup {
  AttentionArrays<T> a;
  bool add;  // to what is there

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int d = a.head_dim, width = a.kv_heads * d, group = a.group();
    const PlanBlock keys = a.key_blocks[block.x()];
    for (int n = block.y() * block.threads() + block.thread(); n < (keys.end - keys.begin) * width;
         n += block.threads() * plan_slices) {
      const int row = keys.begin + n / width, i = n % width;
      const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(row) * a.heads + i / d * group) * d + i % d;
      float k = add ? static_cast<float>(a.dk(row, i)) : 0.0f,
            v = add ? static_cast<float>(a.dv(row, i)) : 0.0f;
      for (int g = 0; g < group; ++g) {
        k += a.dk_part[at + g * d];
        v += a.dv_part[at + g * d];
      }
      a.dk(row, i) = k;
      a.dv(row, i) = v;
    }
  }
};

}  // namespace solopo::cuda
