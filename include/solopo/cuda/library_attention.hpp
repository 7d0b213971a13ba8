// Attention over a list of tiles by calls of a library that knows only rectangles: each tile is one call, and
// what the calls of a row give is merged through their log-sum-exps. Exact, forward and backward: a backward
// call reads the merged output and log-sum-exp.
#pragma once

#include <algorithm>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/view.hpp"
#include "solopo/cuda/attention_arrays.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/cuda/growing_array.hpp"
#include "solopo/kernels/attention_tile.hpp"

namespace solopo::cuda {

// One call: queries (q_rows) see keys (kv_rows), all of them or, causal, the square's lower triangle. Strides
// of rows in elements. The log-sum-exp is (heads, q_rows).
struct AttentionCall {
  std::int32_t heads, kv_heads, head_dim, q_rows, kv_rows;
  std::int64_t q_stride, kv_stride, out_stride, dq_stride, dkv_stride;
  bool causal;
  friend auto operator<=>(const AttentionCall&, const AttentionCall&) = default;
};

template <class T>
struct AttentionPointers {
  const T *q, *k, *v;
  T* out;
  float* log_sum_exp;
  const T* dout;
  T *dq, *dk, *dv;
};

struct LibraryPlan {
  struct Call {
    std::int32_t q_begin, q_end, kv_begin, kv_end;
    bool causal, read;
    bool first_of_rows;  // no call before it has these queries
    bool first_of_keys;  // no call before it has any of these keys
  };
  std::vector<Call> calls;
  std::vector<kernels::AttentionTile> rest;  // of queries that are in no call
  bool all_keys = false;                     // every row of keys is in a first call of them
};

// The calls for tiles over `rows` rows. A prompt followed by its continuation is one causal call; a
// continuation that is elsewhere, or the last rows of a causal tile, are two. Queries with fewer than `least`
// pairs, or that a library cannot be asked for, are left over.
[[nodiscard]] inline LibraryPlan library_plan(std::span<const kernels::AttentionTile> tiles,
                                              std::int32_t rows, std::int64_t least) {
  LibraryPlan plan;
  std::vector<kernels::AttentionTile> left(tiles.begin(), tiles.end());
  // The rows' own keys are the last that they see.
  const auto own_last = [](const kernels::AttentionTile& t) {
    return t.causal && !t.read && t.q_end == t.kv_end;
  };
  const auto square = [&](const kernels::AttentionTile& t) { return own_last(t) && t.q_begin == t.kv_begin; };
  for (std::size_t i = 0; i + 2 < left.size(); ++i) {
    kernels::AttentionTile& prompt = left[i];
    const kernels::AttentionTile &before = left[i + 1], &own = left[i + 2];
    if (own_last(prompt) && square(own) && !before.causal && !before.read && before.q_begin == prompt.q_end &&
        before.q_begin == own.q_begin && before.q_end == own.q_end && before.kv_begin == prompt.kv_begin &&
        before.kv_end == prompt.kv_end) {
      prompt.q_end = prompt.kv_end = own.q_end;
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                 left.begin() + static_cast<std::ptrdiff_t>(i) + 3);
    }
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    kernels::AttentionTile before = left[i];
    before.kv_end -= before.q_end - before.q_begin;
    if (!before.causal || before.kv_end <= before.kv_begin) continue;
    before.causal = false;  // every query sees these
    left[i].kv_begin = before.kv_end;
    left.insert(left.begin() + static_cast<std::ptrdiff_t>(i++), before);
  }
  const auto meets = [](const kernels::AttentionTile& a, const kernels::AttentionTile& b) {
    return a.q_begin < b.q_end && b.q_begin < a.q_end;
  };
  const auto fits = [&](const kernels::AttentionTile& t) {
    std::int64_t pairs = 0;
    for (const kernels::AttentionTile& other : left) {
      if (!meets(t, other)) continue;
      const std::int32_t n = other.q_end - other.q_begin, keys = other.kv_end - other.kv_begin;
      const bool whole = other.q_begin == t.q_begin && other.q_end == t.q_end;
      // One query of one key is refused by cuDNN.
      if (!whole || n < 2 || keys < 2 || (other.causal && n != keys)) return false;
      pairs += kernels::attention_pairs({&other, 1});
    }
    return pairs >= least;
  };
  std::int32_t keys_seen = 0;
  for (const kernels::AttentionTile& t : left) {
    if (!fits(t)) {
      plan.rest.push_back(t);
      continue;
    }
    LibraryPlan::Call call{t.q_begin, t.q_end, t.kv_begin, t.kv_end, t.causal, t.read, true, true};
    for (const LibraryPlan::Call& earlier : plan.calls) {
      if (earlier.q_begin < t.q_end && t.q_begin < earlier.q_end) call.first_of_rows = false;
      if (!t.read && !earlier.read && earlier.kv_begin < t.kv_end && t.kv_begin < earlier.kv_end)
        call.first_of_keys = false;
    }
    if (call.first_of_keys && !t.read) keys_seen += t.kv_end - t.kv_begin;
    plan.calls.push_back(call);
  }
  plan.all_keys = keys_seen == rows;
  return plan;
}

// Row x of n: out and log_sum_exp, (n, heads d) and (heads, n), with a part of the same shapes merged in.
template <class T>
struct MergeAttention {
  int heads, head_dim, rows;
  MatrixView<T> out;
  float* log_sum_exp;
  MatrixView<const T> part;
  const float* part_log_sum_exp;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int row = block.x(), lane = block.thread() % warp_size;
    for (int h = block.thread() / warp_size; h < heads; h += block.threads() / warp_size) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(h) * rows + row;
      const float a = log_sum_exp[at], b = part_log_sum_exp[at], top = a > b ? a : b;
      const float both = top + std::log(std::exp(a - top) + std::exp(b - top));
      const float share_a = std::exp(a - both), share_b = std::exp(b - both);
      T* const to = out.row(row) + h * head_dim;
      const T* const from = part.row(row) + h * head_dim;
      for (int i = lane; i < head_dim; i += warp_size)
        to[i] = share_a * static_cast<float>(to[i]) + share_b * static_cast<float>(from[i]);
      block.sync_warp();  // every lane has read before one writes
      if (lane == 0) log_sum_exp[at] = both;
    }
  }
};

// to += from, a row a block.
template <class T>
struct AddRows {
  MatrixView<const T> from;
  MatrixView<T> to;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const T* const row = from.row(block.x());
    T* const sum = to.row(block.x());
    BlockTeam<Block>(block).each(static_cast<int>(to.columns),
                                 [&](int i) { sum[i] += static_cast<float>(row[i]); });
  }
};

// Runs plans' calls. The log-sum-exp of the rows [b, b + n) of one call is (heads, n) at heads * b.
template <class T, class Queue>
class LibraryAttention {
 public:
  // Writes the rows of the plan's queries; others stay as they are.
  void forward(Queue& queue, const LibraryPlan& plan, const AttentionArrays<T>& a) {
    const std::ptrdiff_t width = std::ptrdiff_t(a.heads) * a.head_dim;
    for (const LibraryPlan::Call& c : plan.calls) {
      const std::int32_t n = c.q_end - c.q_begin;
      AttentionPointers<T> p = pointers(a, c);
      AttentionCall call = call_of(a, c);
      if (c.first_of_rows) {
        queue.attention_forward(call, p);
        continue;
      }
      const MatrixView<T> out{p.out, n, width, a.out.stride};
      float* const lse = p.log_sum_exp;
      p.out = part_.reserve(queue, static_cast<std::size_t>(n * width));
      p.log_sum_exp =
          part_lse_.reserve(queue, static_cast<std::size_t>(n) * static_cast<std::size_t>(a.heads));
      call.out_stride = width;
      queue.attention_forward(call, p);
      queue.launch(n, 1, 128, 0,
                   MergeAttention<T>{a.heads, a.head_dim, n, out, lse, dense<const T>(p.out, n, width),
                                     p.log_sum_exp});
    }
  }

  // Writes dq of the plan's queries, and dk and dv of all keys: zeros of those that are in no call. The three
  // are columns of one array.
  void backward(Queue& queue, const LibraryPlan& plan, const AttentionArrays<T>& a) {
    const std::ptrdiff_t q_width = std::ptrdiff_t(a.heads) * a.head_dim,
                         kv_width = std::ptrdiff_t(a.kv_heads) * a.head_dim;
    if (!plan.all_keys) queue.zero(a.dq.data, static_cast<std::size_t>(a.rows * a.dq.stride));
    for (const LibraryPlan::Call& c : plan.calls) {
      const std::int32_t n = c.q_end - c.q_begin, keys = c.kv_end - c.kv_begin;
      const AttentionPointers<T> to = pointers(a, c);
      AttentionPointers<T> p = to;
      AttentionCall call = call_of(a, c);
      if (!c.first_of_rows) {
        p.dq = part_.reserve(queue, static_cast<std::size_t>(n * q_width));
        call.dq_stride = q_width;
      }
      if (c.read || !c.first_of_keys) {
        p.dk = part_keys_.reserve(queue, static_cast<std::size_t>(2 * keys * kv_width));
        p.dv = p.dk + keys * kv_width;
        call.dkv_stride = kv_width;
      }
      queue.attention_backward(call, p);
      if (!c.first_of_rows) add(queue, dense<const T>(p.dq, n, q_width), to.dq, a.dq.stride);
      if (!c.read && !c.first_of_keys) {
        add(queue, dense<const T>(p.dk, keys, kv_width), to.dk, a.dk.stride);
        add(queue, dense<const T>(p.dv, keys, kv_width), to.dv, a.dv.stride);
      }
    }
  }

 private:
  static void add(Queue& queue, MatrixView<const T> from, T* to, std::ptrdiff_t stride) {
    queue.launch(static_cast<int>(from.rows), 1, 128, 0,
                 AddRows<T>{from, {to, from.rows, from.columns, stride}});
  }
  static AttentionCall call_of(const AttentionArrays<T>& a, const LibraryPlan::Call& c) {
    return {.heads = a.heads,
            .kv_heads = a.kv_heads,
            .head_dim = a.head_dim,
            .q_rows = c.q_end - c.q_begin,
            .kv_rows = c.kv_end - c.kv_begin,
            .q_stride = a.q.stride,
            .kv_stride = c.read ? a.read.k.stride : a.k.stride,
            .out_stride = a.out.stride,
            .dq_stride = a.dq.stride,
            .dkv_stride = a.dk.stride,
            .causal = c.causal};
  }
  static AttentionPointers<T> pointers(const AttentionArrays<T>& a, const LibraryPlan::Call& c) {
    const auto row = [](auto view, std::ptrdiff_t i) { return view.data ? view.row(i) : nullptr; };
    return {a.q.row(c.q_begin),
            (c.read ? a.read.k : a.k).row(c.kv_begin),
            (c.read ? a.read.v : a.v).row(c.kv_begin),
            a.out.row(c.q_begin),
            a.log_sum_exp + static_cast<std::ptrdiff_t>(c.q_begin) * a.heads,
            row(a.dout, c.q_begin),
            row(a.dq, c.q_begin),
            row(a.dk, c.kv_begin),
            row(a.dv, c.kv_begin)};
  }

  GrowingArray<T, Queue> part_, part_keys_;
  GrowingArray<float, Queue> part_lse_;
};

}  // namespace solopo::cuda
