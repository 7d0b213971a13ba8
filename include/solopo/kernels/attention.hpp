// Grouped-query softmax attention over a list of tiles, forward and backward, on the CPU. A tile says which
// rows of queries see which rows of keys; causal attention, packed sequences, a prompt shared by several
// responses and a cache with one tail a sample are all lists of tiles. Memory is linear in the number of
// rows: scores exist for one block of queries and one block of keys at a time (arXiv 2205.14135), and the
// backward recomputes them from the kept log-sum-exp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/attention_tile.hpp"
#include "solopo/kernels/exp.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

// Rows of a long prompt that are read together: enough for efficient products, and activations stay bounded.
inline constexpr std::int32_t read_chunk = 512;

struct AttentionShape {
  int heads, kv_heads, head_dim;
  [[nodiscard]] int group() const noexcept { return heads / kv_heads; }
};

namespace attention {

inline constexpr int q_block = 64;    // query rows of a block; times the group's heads rows of scores
inline constexpr int kv_block = 256;  // keys of a block
inline constexpr int grad_parts = 4;  // partial dk, dv: a fixed number, so sums do not depend on the threads

// The part of a tile inside query rows [q0, q1): rows first..last of the block, keys kv_begin..kv_end(row).
struct Part {
  int first, last;       // rows relative to q0
  int kv_begin, kv_end;  // keys any of these rows sees
  bool causal, read;
  int last_q_end, tile_kv_end;
  // One past the last key that row i (relative to q0; absolute q0 + i) sees.
  [[nodiscard]] int visible(int absolute_row) const noexcept {
    return causal ? tile_kv_end - (last_q_end - 1 - absolute_row) : tile_kv_end;
  }
};

inline std::vector<Part> parts_of(std::span<const AttentionTile> tiles, int q0, int q1) {
  std::vector<Part> parts;
  for (const AttentionTile& t : tiles) {
    const int a = std::max(q0, t.q_begin), b = std::min(q1, t.q_end);
    if (a >= b) continue;
    Part p{a - q0, b - q0, t.kv_begin, t.kv_end, t.causal, t.read, t.q_end, t.kv_end};
    p.kv_end = p.visible(b - 1);
    if (p.kv_end > p.kv_begin) parts.push_back(p);
  }
  return parts;
}

// Copies rows [q0, q1) of the group's heads into (rows * group, d), row-major by row then head, times factor.
template <class T>
void gather_heads(MatrixView<const T> from, int q0, int q1, int first_head, int group, int d, T factor,
                  T* to) {
  for (int i = q0; i < q1; ++i) {
    const T* source = from.row(i) + std::ptrdiff_t(first_head) * d;
    CpuTeam{}.each(group * d, [&](int j) { to[j] = source[j] * factor; });
    to += group * d;
  }
}

// Workspace of one thread.
template <class T>
struct Scratch {
  AlignedVector<T> q, o, out_gradient, dq, scores, dscores;
};

}  // namespace attention

// out (S, heads d) and log_sum_exp (S, heads) from q (S, heads d), k and v (K, kv_heads d), and `read` where
// tiles say so. Rows are already rotated. A row in no tile gives zeros and a log-sum-exp of minus infinity's
// stand-in (lowest()).
template <class T, class Product = TileProduct>
void attention_forward(const AttentionShape& shape, std::span<const AttentionTile> tiles,
                       MatrixView<const T> q, MatrixView<const T> k, MatrixView<const T> v, MatrixView<T> out,
                       MatrixView<T> log_sum_exp, const KeyValues<T>& read = {}) {
  namespace at = attention;
  const int d = shape.head_dim, group = shape.group(), rows = static_cast<int>(q.rows);
  const int blocks = (rows + at::q_block - 1) / at::q_block;
  const T factor = T(1) / std::sqrt(T(d));
  parallel_for(std::ptrdiff_t(blocks) * shape.kv_heads, [&](std::ptrdiff_t item) {
    static thread_local at::Scratch<T> scratch;
    // Last rows first: under causal tiles they are the long ones, and pieces end together.
    const int block = blocks - 1 - static_cast<int>(item / shape.kv_heads),
              head = static_cast<int>(item % shape.kv_heads);
    const int q0 = block * at::q_block, q1 = std::min(rows, q0 + at::q_block), stacked = (q1 - q0) * group;
    scratch.q.resize(std::size_t(stacked) * d);
    scratch.o.assign(std::size_t(stacked) * d, T(0));
    scratch.scores.resize(std::size_t(stacked) * at::kv_block);
    std::vector<T> top(stacked, std::numeric_limits<T>::lowest()), sum(stacked, T(0));
    at::gather_heads(q, q0, q1, head * group, group, d, factor, scratch.q.data());
    const CpuTeam team;
    for (const at::Part& part : at::parts_of(tiles, q0, q1)) {
      const int r0 = part.first * group, r1 = part.last * group;
      const MatrixView<const T> keys = part.read ? read.k : k, values = part.read ? read.v : v;
      for (int c0 = part.kv_begin; c0 < part.kv_end; c0 += at::kv_block) {
        const int c1 = std::min(part.kv_end, c0 + at::kv_block), width = c1 - c0;
        T* s = scratch.scores.data();
        Product::template gemm<T>(false, true, r1 - r0, width, d, T(1), &scratch.q[std::size_t(r0) * d], d,
                                  keys.row(c0) + head * d, keys.stride, T(0), s, at::kv_block);
        for (int r = r0; r < r1; ++r) {
          T* z = s + std::ptrdiff_t(r - r0) * at::kv_block;
          const int seen = std::min(c1, part.visible(q0 + r / group)) - c0;
          if (seen <= 0) {
            team.each(width, [&](int i) { z[i] = T(0); });
            continue;
          }
          const T now = team.max<T>(seen, top[r], [&](int i) { return z[i]; });
          const T keep = sum[r] == T(0) ? T(0) : fast_exp(top[r] - now);
          sum[r] = sum[r] * keep + team.sum<T>(seen, [&](int i) { return z[i] = fast_exp(z[i] - now); });
          for (int i = seen; i < width; ++i) z[i] = T(0);
          if (now != top[r]) {
            T* o = &scratch.o[std::size_t(r) * d];
            team.each(d, [&](int i) { o[i] *= keep; });
          }
          top[r] = now;
        }
        Product::template gemm<T>(false, false, r1 - r0, d, width, T(1), s, at::kv_block,
                                  values.row(c0) + head * d, values.stride, T(1),
                                  &scratch.o[std::size_t(r0) * d], d);
      }
    }
    for (int r = 0; r < stacked; ++r) {
      const int row = q0 + r / group, h = head * group + r % group;
      T* to = out.row(row) + std::ptrdiff_t(h) * d;
      const T* o = &scratch.o[std::size_t(r) * d];
      const T inverse = sum[r] > T(0) ? T(1) / sum[r] : T(0);
      team.each(d, [&](int i) { to[i] = o[i] * inverse; });
      if (log_sum_exp.data != nullptr)
        log_sum_exp(row, h) = sum[r] > T(0) ? top[r] + std::log(sum[r]) : std::numeric_limits<T>::lowest();
    }
  });
}

// Given dout (S, heads d) and what the forward had and gave, writes dq (S, heads d) and adds into dk, dv
// (K, kv_heads d). `read` gets no gradient.
template <class T, class Product = TileProduct>
void attention_backward(const AttentionShape& shape, std::span<const AttentionTile> tiles,
                        MatrixView<const T> q, MatrixView<const T> k, MatrixView<const T> v,
                        MatrixView<const T> out, MatrixView<const T> log_sum_exp, MatrixView<const T> dout,
                        MatrixView<T> dq, MatrixView<T> dk, MatrixView<T> dv, const KeyValues<T>& read = {}) {
  namespace at = attention;
  const int d = shape.head_dim, group = shape.group(), rows = static_cast<int>(q.rows);
  const int blocks = (rows + at::q_block - 1) / at::q_block;
  const auto key_rows = static_cast<std::size_t>(k.rows);
  const T factor = T(1) / std::sqrt(T(d));
  // Query blocks are dealt to a fixed number of parts; each sums its own dk and dv, added in order at the
  // end.
  const int parts = std::max(1, std::min(at::grad_parts, blocks));
  const std::size_t one = key_rows * d;  // (K, d) of one key-value head
  AlignedVector<T> partial(std::size_t(parts) * shape.kv_heads * 2 * one);
  parallel_for(std::ptrdiff_t(parts) * shape.kv_heads, [&](std::ptrdiff_t item) {
    static thread_local at::Scratch<T> scratch;
    const int part_index = static_cast<int>(item / shape.kv_heads),
              head = static_cast<int>(item % shape.kv_heads);
    T* dk_part = partial.data() + std::size_t(item) * 2 * one;
    T* dv_part = dk_part + one;
    std::fill(dk_part, dk_part + 2 * one, T(0));
    const CpuTeam team;
    for (int block = part_index; block < blocks; block += parts) {
      const int q0 = block * at::q_block, q1 = std::min(rows, q0 + at::q_block), stacked = (q1 - q0) * group;
      scratch.q.resize(std::size_t(stacked) * d);
      scratch.out_gradient.resize(std::size_t(stacked) * d);
      scratch.dq.assign(std::size_t(stacked) * d, T(0));
      scratch.scores.resize(std::size_t(stacked) * at::kv_block);
      scratch.dscores.resize(std::size_t(stacked) * at::kv_block);
      std::vector<T> lse(stacked), delta(stacked);
      at::gather_heads(q, q0, q1, head * group, group, d, factor, scratch.q.data());
      at::gather_heads(dout, q0, q1, head * group, group, d, T(1), scratch.out_gradient.data());
      for (int r = 0; r < stacked; ++r) {
        const int row = q0 + r / group, h = head * group + r % group;
        const T* o = out.row(row) + std::ptrdiff_t(h) * d;
        const T* g = &scratch.out_gradient[std::size_t(r) * d];
        lse[r] = log_sum_exp(row, h);
        delta[r] = team.sum<T>(d, [&](int i) { return o[i] * g[i]; });
      }
      for (const at::Part& part : at::parts_of(tiles, q0, q1)) {
        const int r0 = part.first * group, r1 = part.last * group;
        const MatrixView<const T> keys = part.read ? read.k : k, values = part.read ? read.v : v;
        const T* qs = &scratch.q[std::size_t(r0) * d];
        const T* gs = &scratch.out_gradient[std::size_t(r0) * d];
        for (int c0 = part.kv_begin; c0 < part.kv_end; c0 += at::kv_block) {
          const int c1 = std::min(part.kv_end, c0 + at::kv_block), width = c1 - c0;
          T *p = scratch.scores.data(), *ds = scratch.dscores.data();
          Product::template gemm<T>(false, true, r1 - r0, width, d, T(1), qs, d, keys.row(c0) + head * d,
                                    keys.stride, T(0), p, at::kv_block);
          Product::template gemm<T>(false, true, r1 - r0, width, d, T(1), gs, d, values.row(c0) + head * d,
                                    values.stride, T(0), ds, at::kv_block);
          for (int r = r0; r < r1; ++r) {
            T* z = p + std::ptrdiff_t(r - r0) * at::kv_block;
            T* dz = ds + std::ptrdiff_t(r - r0) * at::kv_block;
            const int seen = std::clamp(part.visible(q0 + r / group) - c0, 0, width);
            const T l = lse[r], dl = delta[r];
            team.each(seen, [&](int i) {
              z[i] = fast_exp(z[i] - l);
              dz[i] = z[i] * (dz[i] - dl);
            });
            for (int i = seen; i < width; ++i) z[i] = dz[i] = T(0);
          }
          if (!part.read) {
            Product::template gemm<T>(true, false, width, d, r1 - r0, T(1), p, at::kv_block, gs, d, T(1),
                                      dv_part + std::size_t(c0) * d, d);
            Product::template gemm<T>(true, false, width, d, r1 - r0, T(1), ds, at::kv_block, qs, d, T(1),
                                      dk_part + std::size_t(c0) * d, d);
          }
          Product::template gemm<T>(false, false, r1 - r0, d, width, factor, ds, at::kv_block,
                                    keys.row(c0) + head * d, keys.stride, T(1),
                                    &scratch.dq[std::size_t(r0) * d], d);
        }
      }
      for (int r = 0; r < stacked; ++r) {
        T* to = dq.row(q0 + r / group) + std::ptrdiff_t(head * group + r % group) * d;
        const T* from = &scratch.dq[std::size_t(r) * d];
        team.each(d, [&](int i) { to[i] = from[i]; });
      }
    }
  });
  parallel_ranges(std::ptrdiff_t(key_rows), 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t row = begin; row < end; ++row)
      for (int head = 0; head < shape.kv_heads; ++head) {
        T *to_k = dk.row(row) + head * d, *to_v = dv.row(row) + head * d;
        for (int part = 0; part < parts; ++part) {
          const T* from =
              partial.data() + (std::size_t(part) * shape.kv_heads + head) * 2 * one + std::size_t(row) * d;
          CpuTeam{}.each(d, [&](int i) {
            to_k[i] += from[i];
            to_v[i] += from[i + one];
          });
        }
      }
  });
}

}  // namespace solopo::kernels
