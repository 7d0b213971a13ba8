// The row rules of kernels/ as kernels: a block has one row, or several.
#pragma once

#include <cstddef>
#include <cstdint>

#include "solopo/core/view.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/kernels/rms_norm.hpp"
#include "solopo/kernels/rotary.hpp"
#include "solopo/kernels/swiglu.hpp"

namespace solopo::cuda {

// to (S, C) = rows `tokens` of the table (V, C).
template <class T>
struct Embed {
  MatrixView<const T> table;
  const std::int32_t* tokens;
  MatrixView<T> to;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const T* const from = table.row(tokens[block.x()]);
    T* const row = to.row(block.x());
    BlockTeam<Block>(block).each(static_cast<int>(to.columns), [&](int i) { row[i] = from[i]; });
  }
};

// Adds each row of dx (S, C) to its token's gradient: block x has distinct token x, whose rows are
// rows[begins[x], begins[x + 1]) in order.
template <class T>
struct EmbedGradient {
  MatrixView<const T> dx;
  const std::int32_t *tokens, *begins, *rows;
  MatrixView<float> gradient;  // (V, C)

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    float* const to = gradient.row(tokens[block.x()]);
    BlockTeam<Block>(block).each(static_cast<int>(dx.columns), [&](int i) {
      float sum = to[i];
      for (int r = begins[block.x()]; r < begins[block.x() + 1]; ++r)
        sum += static_cast<float>(dx(rows[r], i));
      to[i] = sum;
    });
  }
};

// y (n, C) = rms_norm of rows `rows` of x, or of all rows when that is null.
template <class T>
struct RmsNorm {
  MatrixView<const T> x;
  const std::int32_t* rows;
  const T* weight;
  MatrixView<T> y;
  float epsilon;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int row = rows ? rows[block.x()] : block.x();
    kernels::rms_norm_row(BlockTeam<Block>(block), x.row(row), weight, y.row(block.x()),
                          static_cast<int>(x.columns), epsilon);
  }
};

// Adds dL/dx into dx and keeps what the weight's gradient needs. Block b has rows dy[begins[b], begins[b +
// 1]) of x's row rows[b]; both null: row b of each.
template <class T>
struct RmsNormGradient {
  MatrixView<const T> x;
  const std::int32_t *rows, *begins;
  const T* weight;
  MatrixView<const T> dy;
  MatrixView<T> dx;
  float* scales;  // (rows of dy)
  float epsilon;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int b = block.x(), row = rows ? rows[b] : b, first = begins ? begins[b] : b,
              last = begins ? begins[b + 1] : b + 1;
    for (int i = first; i < last; ++i) {
      const float scale = kernels::rms_norm_row_backward(team, x.row(row), weight, dy.row(i), dx.row(row),
                                                         static_cast<int>(x.columns), epsilon);
      team.once([&] { scales[i] = scale; });
    }
  }
};

// Whether rows of this many columns are read in pieces of 8.
[[nodiscard]] SOLOPO_HD constexpr bool in_pieces(std::ptrdiff_t columns) noexcept { return columns % 8 == 0; }
// Threads of a block that has one such row.
[[nodiscard]] constexpr int held_threads(std::ptrdiff_t columns) noexcept {
  const auto warps = static_cast<int>((columns / 8 + 31) / 32);
  return 32 * (warps < 1 ? 1 : warps > 8 ? 8 : warps);
}

// What one of `lanes` threads holds of a row: pieces lane, lane + lanes, ... as float32.
template <int pieces>
struct HeldRow {
  float v[pieces * 8];

  template <class T>
  SOLOPO_DEVICE static HeldRow load(const T* row, int columns, int lane, int lanes) {
    HeldRow out;
    SOLOPO_UNROLL
    for (int p = 0; p < pieces; ++p) {
      const int at = (lane + p * lanes) * 8;
      Piece<T> piece{};
      if (at < columns) piece = Piece<T>::load(row + at);
      SOLOPO_UNROLL
      for (int i = 0; i < 8; ++i) out.v[p * 8 + i] = at < columns ? static_cast<float>(piece.v[i]) : 0.0f;
    }
    return out;
  }
  template <class T>
  SOLOPO_DEVICE void store(T* row, int columns, int lane, int lanes) const {
    SOLOPO_UNROLL
    for (int p = 0; p < pieces; ++p) {
      const int at = (lane + p * lanes) * 8;
      Piece<T> piece;
      SOLOPO_UNROLL
      for (int i = 0; i < 8; ++i) piece.v[i] = v[p * 8 + i];
      if (at < columns) piece.store(row + at);
    }
  }
};

// RmsNorm and RmsNormGradient of rows held in registers: by a warp (lanes 32), or by a block (lanes 0).
template <class T, int pieces, int lanes>
struct HeldRmsNorm {
  RmsNorm<T> k;
  int count;  // of rows of y

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int n = lanes ? lanes : block.threads(), lane = block.thread() % n,
              columns = static_cast<int>(k.x.columns);
    const int b = block.x() * (block.threads() / n) + block.thread() / n;
    if (b >= count) return;  // a whole team
    const auto x = HeldRow<pieces>::load(k.x.row(k.rows ? k.rows[b] : b), columns, lane, n);
    const auto w = HeldRow<pieces>::load(k.weight, columns, lane, n);
    HeldRow<pieces> y;
    kernels::rms_norm_row(HeldRowTeam<Block, pieces * 8, lanes>(block), x.v, w.v, y.v, columns, k.epsilon);
    y.store(k.y.row(b), columns, lane, n);
  }
};
template <class T, int pieces, int lanes>
struct HeldRmsNormGradient {
  RmsNormGradient<T> k;
  int count;  // of rows of x

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int n = lanes ? lanes : block.threads(), lane = block.thread() % n,
              columns = static_cast<int>(k.x.columns);
    const int b = block.x() * (block.threads() / n) + block.thread() / n;
    if (b >= count) return;
    const int row = k.rows ? k.rows[b] : b, first = k.begins ? k.begins[b] : b,
              last = k.begins ? k.begins[b + 1] : b + 1;
    const auto x = HeldRow<pieces>::load(k.x.row(row), columns, lane, n);
    const auto w = HeldRow<pieces>::load(k.weight, columns, lane, n);
    auto dx = HeldRow<pieces>::load(k.dx.row(row), columns, lane, n);
    for (int i = first; i < last; ++i) {
      const auto dy = HeldRow<pieces>::load(k.dy.row(i), columns, lane, n);
      const float scale = kernels::rms_norm_row_backward(HeldRowTeam<Block, pieces * 8, lanes>(block), x.v,
                                                         w.v, dy.v, dx.v, columns, k.epsilon);
      if (lane == 0) k.scales[i] = scale;
    }
    dx.store(k.dx.row(row), columns, lane, n);
  }
};

// Launches a norm's kernel for `count` rows.
template <template <class, int, int> class Held, class T, class Queue, class Kernel>
void launch_norm(Queue& queue, int count, const Kernel& kernel) {
  const auto columns = static_cast<int>(kernel.x.columns);
  const int threads = held_threads(columns), by_warp = (columns / 8 + 31) / 32,
            by_block = (columns / 8 + threads - 1) / threads;
  constexpr int warps = 4;
  const int blocks = (count + warps - 1) / warps;
  if (!in_pieces(columns)) return queue.launch(count, 1, threads, 0, kernel);
  if (by_warp == 1) return queue.launch(blocks, 1, warps * 32, 0, Held<T, 1, 32>{kernel, count});
  if (by_warp == 2) return queue.launch(blocks, 1, warps * 32, 0, Held<T, 2, 32>{kernel, count});
  if (by_warp == 3) return queue.launch(blocks, 1, warps * 32, 0, Held<T, 3, 32>{kernel, count});
  if (by_warp == 4) return queue.launch(blocks, 1, warps * 32, 0, Held<T, 4, 32>{kernel, count});
  if (by_block == 1) return queue.launch(count, 1, threads, 0, Held<T, 1, 0>{kernel, count});
  if (by_block == 2) return queue.launch(count, 1, threads, 0, Held<T, 2, 0>{kernel, count});
  if (by_block <= 4) return queue.launch(count, 1, threads, 0, Held<T, 4, 0>{kernel, count});
  queue.launch(count, 1, threads, 0, kernel);
}

// Column sums in two steps, in a fixed order: sums of chunks of rows into `parts` (chunks, C), then of those.
inline constexpr int sum_chunk = 64;

// parts[chunk] = sum over the chunk's rows of dy * x * scale, or of dy when x is null; x's row i is rows[i]
// unless that is null. Block (column block, chunk); a thread has a column.
template <class T>
struct ColumnSumParts {
  MatrixView<const T> dy, x;
  const std::int32_t* rows;
  const float* scales;
  float* parts;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int column = block.x() * block.threads() + block.thread();
    if (column >= dy.columns) return;
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(block.y()) * sum_chunk;
    float sum = 0;
    for (std::ptrdiff_t i = first; i < first + sum_chunk && i < dy.rows; ++i) {
      const float g = dy(i, column);
      sum += x.data ? g * static_cast<float>(x(rows ? rows[i] : i, column)) * scales[i] : g;
    }
    parts[block.y() * dy.columns + column] = sum;
  }
};

struct ColumnSum {
  const float* parts;
  int chunks, columns;
  float* to;  // added to

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int column = block.x() * block.threads() + block.thread();
    if (column >= columns) return;
    float sum = to[column];
    for (int c = 0; c < chunks; ++c) sum += parts[static_cast<std::ptrdiff_t>(c) * columns + column];
    to[column] = sum;
  }
};

// Adds a bias (may be null) to a row of [q | k | v] and rotates its first `heads` heads; a warp a head.
template <class T>
struct BiasAndRotate {
  MatrixView<T> x;
  const T* bias;
  const std::int32_t* positions;
  const float *cos, *sin;  // (positions, head_dim / 2)
  int heads, head_dim;
  float direction;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    T* const row = x.row(block.x());
    if (bias) {
      BlockTeam<Block>(block).each(static_cast<int>(x.columns), [&](int i) { row[i] += bias[i]; });
      block.sync();
    }
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(positions[block.x()]) * (head_dim / 2);
    const WarpTeam<Block> team(block);
    for (int h = block.thread() / warp_size; h < heads; h += block.threads() / warp_size)
      kernels::rotary_head(team, row + h * head_dim, cos + at, sin + at, head_dim, direction);
  }
};

// One thread's own elements, as a team.
struct OneThread {
  template <class F>
  SOLOPO_HD void each(int n, F&& f) const {
    SOLOPO_UNROLL
    for (int i = 0; i < n; ++i) f(i);
  }
};

// hidden (S, F) from [gate | up] (S, 2 F).
template <class T>
struct SwiGlu {
  MatrixView<const T> gate_up;
  MatrixView<T> hidden;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int f = static_cast<int>(hidden.columns);
    const T* const gate = gate_up.row(block.x());
    T* const to = hidden.row(block.x());
    if (!in_pieces(f)) return kernels::swiglu_row(BlockTeam<Block>(block), gate, gate + f, to, f);
    for (int at = block.thread() * 8; at < f; at += block.threads() * 8) {
      const auto g = Piece<T>::load(gate + at), u = Piece<T>::load(gate + f + at);
      Piece<T> h;
      kernels::swiglu_row(OneThread{}, g.v, u.v, h.v, Piece<T>::size);
      h.store(to + at);
    }
  }
};

// [dgate | dup] (S, 2 F), and hidden (S, F) again, from dhidden (S, F).
template <class T>
struct SwiGluGradient {
  MatrixView<const T> gate_up, dhidden;
  MatrixView<T> hidden, dgate_up;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const int row = block.x(), f = static_cast<int>(hidden.columns);
    const T *const gate = gate_up.row(row), *const dh = dhidden.row(row);
    T *const dgate = dgate_up.row(row), *const to = hidden.row(row);
    if (!in_pieces(f))
      return kernels::swiglu_row_backward(BlockTeam<Block>(block), gate, gate + f, dh, to, dgate, dgate + f,
                                          f);
    for (int at = block.thread() * 8; at < f; at += block.threads() * 8) {
      const auto g = Piece<T>::load(gate + at), u = Piece<T>::load(gate + f + at),
                 d = Piece<T>::load(dh + at);
      Piece<T> h, dg, du;
      kernels::swiglu_row_backward(OneThread{}, g.v, u.v, d.v, h.v, dg.v, du.v, Piece<T>::size);
      h.store(to + at);
      dg.store(dgate + at);
      du.store(dgate + f + at);
    }
  }
};

// Columns of x into the rows of `to`.
template <class T>
struct CopyRows {
  MatrixView<const T> x;
  MatrixView<T> to;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const T* const from = x.row(block.x());
    T* const row = to.row(block.x());
    BlockTeam<Block>(block).each(static_cast<int>(to.columns), [&](int i) { row[i] = from[i]; });
  }
};

}  // namespace solopo::cuda
