// Attention over a plan's tiles as plainly as it can be said: any storage type, any head width, no tensor
// cores. The truth that faster kernels are compared with on a device, and what runs where they cannot.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "solopo/cuda/attention_arrays.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/kernels/exp.hpp"

namespace solopo::cuda::plain {

inline constexpr int threads = 128;
inline constexpr int q_size = 16, kv_size = 16;  // rows of a plan's blocks

// Bytes of shared memory: three rows of a head and two of weights.
[[nodiscard]] inline std::size_t shared_bytes(int head_dim) {
  return sizeof(float) * static_cast<std::size_t>(4 * head_dim + 2 * threads);
}

template <class T>
SOLOPO_HD float dot(const float* a, const T* b, int d) {
  float sum = 0;
  for (int i = 0; i < d; ++i) sum += a[i] * static_cast<float>(b[i]);
  return sum;
}

// The rows of block x, head y.
template <class T>
struct Forward {
  AttentionArrays<T> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int d = a.head_dim, head = block.y(), column = head / a.group() * d;
    float* const q = static_cast<float*>(block.shared());
    float *const o = q + d, *const p = o + d;
    const PlanBlock rows = a.query_blocks[block.x()];
    for (int row = rows.begin; row < rows.end; ++row) {
      team.each(d, [&](int i) {
        q[i] = static_cast<float>(a.q(row, head * d + i)) * a.factor;
        o[i] = 0;
      });
      block.sync();
      float top = no_keys, sum = 0;
      for (int t = rows.first; t < rows.last; ++t) {
        const TileRange tile = a.query_tiles[t];
        const MatrixView<const T> k = tile.read ? a.read.k : a.k, v = tile.read ? a.read.v : a.v;
        const int end = tile.visible(row);
        for (int begin = tile.kv_begin; begin < end; begin += threads) {
          const int n = end - begin < threads ? end - begin : threads;
          team.each(n, [&](int i) { p[i] = dot(q, k.row(begin + i) + column, d); });
          const float now = team.template max<float>(n, top, [&](int i) { return p[i]; });
          const float keep = sum == 0 ? 0.0f : kernels::fast_exp(top - now);
          sum = sum * keep +
                team.template sum<float>(n, [&](int i) { return p[i] = kernels::fast_exp(p[i] - now); });
          top = now;
          team.each(d, [&](int j) {
            float add = 0;
            for (int i = 0; i < n; ++i) add += p[i] * static_cast<float>(v(begin + i, column + j));
            o[j] = o[j] * keep + add;
          });
          block.sync();
        }
      }
      const float inverse = sum > 0 ? 1 / sum : 0.0f;
      team.each(d, [&](int j) { a.out(row, head * d + j) = o[j] * inverse; });
      team.once([&] { a.log_sum_exp[a.at(row, head)] = sum > 0 ? top + std::log(sum) : no_keys; });
    }
  }
};

// dq of the rows of block x, head y; after delta.
template <class T>
struct QueryGradient {
  AttentionArrays<T> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int d = a.head_dim, head = block.y(), column = head / a.group() * d;
    float* const q = static_cast<float*>(block.shared());
    float *const g = q + d, *const dq = g + d, *const ds = dq + d;
    const PlanBlock rows = a.query_blocks[block.x()];
    for (int row = rows.begin; row < rows.end; ++row) {
      const std::ptrdiff_t at = a.at(row, head);
      const float lse = a.log_sum_exp[at], delta = a.delta[at];
      team.each(d, [&](int i) {
        q[i] = static_cast<float>(a.q(row, head * d + i)) * a.factor;
        g[i] = a.dout(row, head * d + i);
        dq[i] = 0;
      });
      block.sync();
      for (int t = rows.first; t < rows.last; ++t) {
        const TileRange tile = a.query_tiles[t];
        const MatrixView<const T> k = tile.read ? a.read.k : a.k, v = tile.read ? a.read.v : a.v;
        const int end = tile.visible(row);
        for (int begin = tile.kv_begin; begin < end; begin += threads) {
          const int n = end - begin < threads ? end - begin : threads;
          team.each(n, [&](int i) {
            const float p = kernels::fast_exp(dot(q, k.row(begin + i) + column, d) - lse);
            ds[i] = p * (dot(g, v.row(begin + i) + column, d) - delta);
          });
          block.sync();
          team.each(d, [&](int j) {
            for (int i = 0; i < n; ++i) dq[j] += ds[i] * static_cast<float>(k(begin + i, column + j));
          });
          block.sync();
        }
      }
      team.each(d, [&](int j) { a.dq(row, head * d + j) = dq[j] * a.factor; });
      block.sync();
    }
  }
};

// The parts of dk and dv that query head y gives to the keys of block x; after delta.
template <class T>
struct KeyGradient {
  AttentionArrays<T> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int d = a.head_dim, head = block.y(), column = head / a.group() * d;
    float* const k = static_cast<float*>(block.shared());
    float *const v = k + d, *const dk = v + d, *const dv = dk + d, *const p = dv + d, *const ds = p + threads;
    const PlanBlock keys = a.key_blocks[block.x()];
    for (int key = keys.begin; key < keys.end; ++key) {
      team.each(d, [&](int i) {
        k[i] = static_cast<float>(a.k(key, column + i)) * a.factor;
        v[i] = a.v(key, column + i);
        dk[i] = dv[i] = 0;
      });
      block.sync();
      for (int t = keys.first; t < keys.last; ++t) {
        const TileRange tile = a.key_tiles[t];
        for (int begin = tile.q_begin; begin < tile.q_end; begin += threads) {
          const int n = tile.q_end - begin < threads ? tile.q_end - begin : threads;
          team.each(n, [&](int i) {
            const int row = begin + i;
            const std::ptrdiff_t at = a.at(row, head);
            p[i] = ds[i] = 0;
            if (key >= tile.visible(row)) return;
            p[i] = kernels::fast_exp(dot(k, a.q.row(row) + head * d, d) - a.log_sum_exp[at]);
            ds[i] = p[i] * (dot(v, a.dout.row(row) + head * d, d) - a.delta[at]);
          });
          block.sync();
          team.each(d, [&](int j) {
            for (int i = 0; i < n; ++i) {
              dv[j] += p[i] * static_cast<float>(a.dout(begin + i, head * d + j));
              dk[j] += ds[i] * static_cast<float>(a.q(begin + i, head * d + j));
            }
          });
          block.sync();
        }
      }
      const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(key) * a.heads + head) * d;
      team.each(d, [&](int j) {
        a.dk_part[at + j] = dk[j] * a.factor;
        a.dv_part[at + j] = dv[j];
      });
      block.sync();
    }
  }
};

}  // namespace solopo::cuda::plain
