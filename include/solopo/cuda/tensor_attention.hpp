// Attention over a plan's tiles on tensor cores, in bfloat16 with float32 sums (FlashAttention-2's way,
// arXiv 2307.08691): a warp keeps 16 rows of scores in registers, softmax is online, and the backward
// recomputes scores from the log-sum-exp. dq and (dk, dv) are two kernels that each own what they write, so
// nothing is added atomically and two runs give the same bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "solopo/core/bfloat16.hpp"
#include "solopo/cuda/attention_arrays.hpp"
#include "solopo/cuda/block_team.hpp"

namespace solopo::cuda::tensor {

inline constexpr int threads = 128, warps = threads / warp_size;
inline constexpr int tile_rows = 64;  // rows of a tile in shared memory
inline constexpr int strips = tile_rows / 8;
inline constexpr float log2_e = 1.44269504f;

// Widths of heads there are kernels for.
[[nodiscard]] constexpr bool supports(int head_dim) noexcept { return head_dim == 64 || head_dim == 128; }

// 16-row strips of queries a warp has in the forward: as many as registers allow.
template <int D>
inline constexpr int forward_strips = D == 64 ? 2 : 1;
template <int D>
inline constexpr int forward_q_size = 16 * warps* forward_strips<D>;

// Rows of D numbers in shared memory; 16-byte pieces of a row are swapped by its index so that the eight rows
// of a matrix lie in different banks.
template <int D>
struct Tile {
  BFloat16* data;

  SOLOPO_DEVICE BFloat16* at(int row, int column) const {
    return data + row * D + (((column >> 3) ^ (row & 7)) << 3);
  }
  // Starts to copy rows [begin, end) of `from`, at most `rows`, and sets those after them to zero.
  template <class Block>
  SOLOPO_DEVICE void fill(Block& block, MatrixView<const BFloat16> from, int column, int begin, int end,
                          int rows) const {
    constexpr int pieces = D / 8;
    for (int i = block.thread(); i < rows * pieces; i += threads) {
      const int row = i / pieces, c = i % pieces * 8;
      BFloat16* const to = at(row, c);
      if (begin + row < end) {
        block.copy_async(to, from.row(begin + row) + column + c);
      } else {
        for (int e = 0; e < 8; ++e) to[e].bits = 0;
      }
    }
  }
};

// Operand a of a product: rows [row, row + 16), columns [column, column + 16) of a tile.
template <class Block, int D>
SOLOPO_DEVICE void load_a(Block& block, std::uint32_t (&a)[4], Tile<D> tile, int row, int column) {
  const int lane = block.thread() % warp_size;
  block.template load_matrices<false>(a, tile.at(row + lane % 16, column + lane / 16 * 8));
}

// c (16, 8 n) += a (16, 16) of one step times the transpose of rows [0, 8 n) of `tile`, columns [k, k + 16).
template <int n, class Block, int D>
SOLOPO_DEVICE void multiply_transposed(Block& block, float (&c)[n][4], const std::uint32_t (&a)[4],
                                       Tile<D> tile, int k) {
  const int lane = block.thread() % warp_size;
  SOLOPO_UNROLL
  for (int i = 0; i < n; i += 2) {
    std::uint32_t b[4];
    block.template load_matrices<false>(b, tile.at(i * 8 + lane / 16 * 8 + lane % 8, k + lane / 8 % 2 * 8));
    block.multiply_add(c[i], a, b[0], b[1]);
    block.multiply_add(c[i + 1], a, b[2], b[3]);
  }
}

// c (16, 8 n) += a (16, 16) of one step times rows [k, k + 16) of `tile`.
template <int n, class Block, int D>
SOLOPO_DEVICE void multiply(Block& block, float (&c)[n][4], const std::uint32_t (&a)[4], Tile<D> tile,
                            int k) {
  static_assert(n * 8 == D);
  const int lane = block.thread() % warp_size;
  SOLOPO_UNROLL
  for (int i = 0; i < n; i += 2) {
    std::uint32_t b[4];
    block.template load_matrices<true>(b, tile.at(k + lane % 16, i * 8 + lane / 16 * 8));
    block.multiply_add(c[i], a, b[0], b[1]);
    block.multiply_add(c[i + 1], a, b[2], b[3]);
  }
}

// Columns [16 k, 16 k + 16) of a warp's scores as operand a.
template <int n, class Block>
SOLOPO_DEVICE void as_operand(Block& block, std::uint32_t (&a)[4], const float (&s)[n][4], int k) {
  a[0] = block.pack(s[2 * k][0], s[2 * k][1]);
  a[1] = block.pack(s[2 * k][2], s[2 * k][3]);
  a[2] = block.pack(s[2 * k + 1][0], s[2 * k + 1][1]);
  a[3] = block.pack(s[2 * k + 1][2], s[2 * k + 1][3]);
}

// The steps of 64 rows through the tiles of a block.
struct Steps {
  const TileRange* tiles;
  int last;
  int tile, begin;
  SOLOPO_DEVICE bool done() const { return tile >= last; }
};

// Over keys, as far as the last of the block's queries sees.
struct KeySteps : Steps {
  int last_row;
  SOLOPO_DEVICE KeySteps(const TileRange* t, PlanBlock rows)
      : Steps{t, rows.last, rows.first, 0}, last_row(rows.end - 1) {
    if (!done()) begin = tiles[tile].kv_begin;
  }
  SOLOPO_DEVICE int end() const { return tiles[tile].visible(last_row); }
  SOLOPO_DEVICE void next() {
    begin += tile_rows;
    if (begin >= end() && ++tile < last) begin = tiles[tile].kv_begin;
  }
};

// Over the queries that see the block's first key, `size` at a time.
template <int size>
struct QuerySteps : Steps {
  SOLOPO_DEVICE QuerySteps(const TileRange* t, PlanBlock keys) : Steps{t, keys.last, keys.first, 0} {
    if (!done()) begin = tiles[tile].q_begin;
  }
  SOLOPO_DEVICE int end() const { return tiles[tile].q_end; }
  SOLOPO_DEVICE void next() {
    begin += size;
    if (begin >= end() && ++tile < last) begin = tiles[tile].q_begin;
  }
};

// The rows of block x, head y.
template <int D>
struct Forward {
  static constexpr int rows_strips = forward_strips<D>, q_rows = forward_q_size<D>;
  static constexpr std::size_t shared_bytes = sizeof(BFloat16) * D * (q_rows + 4 * tile_rows);
  AttentionArrays<BFloat16> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    auto* const memory = static_cast<BFloat16*>(block.shared());
    const Tile<D> q{memory};
    const auto k = [&](int i) { return Tile<D>{memory + (q_rows + i * tile_rows) * D}; };
    const auto v = [&](int i) { return Tile<D>{memory + (q_rows + (2 + i) * tile_rows) * D}; };
    const int head = block.y(), column = head / a.group() * D;
    const int lane = block.thread() % warp_size, first_row = block.thread() / warp_size * 16 * rows_strips;
    const PlanBlock rows = a.query_blocks[block.x()];
    const auto start = [&](const KeySteps& step, int into) {
      const bool read = step.tiles[step.tile].read != 0;
      k(into).fill(block, read ? a.read.k : a.k, column, step.begin, step.end(), tile_rows);
      v(into).fill(block, read ? a.read.v : a.v, column, step.begin, step.end(), tile_rows);
    };
    KeySteps step(a.query_tiles, rows), ahead = step;
    q.fill(block, a.q, head * D, rows.begin, rows.end, q_rows);
    if (!ahead.done()) start(ahead, 0);
    block.commit();

    float o[rows_strips][D / 8][4] = {}, top[rows_strips][2], sum[rows_strips][2] = {};
    for (auto& t : top) t[0] = t[1] = no_keys;
    const float scale = a.factor * log2_e;  // powers of two are what the hardware has
    for (int current = 0; !step.done(); current ^= 1) {
      ahead.next();
      if (!ahead.done()) start(ahead, current ^ 1);
      block.commit();
      block.template wait<1>();
      block.sync();
      float s[rows_strips][strips][4] = {};
      SOLOPO_UNROLL
      for (int c = 0; c < D; c += 16) {
        SOLOPO_UNROLL
        for (int r = 0; r < rows_strips; ++r) {
          std::uint32_t operand[4];
          load_a(block, operand, q, first_row + r * 16, c);
          multiply_transposed<strips>(block, s[r], operand, k(current), c);
        }
      }
      const TileRange tile = step.tiles[step.tile];
      const int seen_by_all = tile.visible(rows.begin) - step.begin;
      SOLOPO_UNROLL
      for (int r = 0; r < rows_strips; ++r) {
        if (seen_by_all < tile_rows)
          mask(s[r], tile, rows.begin + first_row + r * 16 + lane / 4, step.begin, lane);
        SOLOPO_UNROLL
        for (int half = 0; half < 2; ++half) {  // rows lane / 4 and 8 more
          float now = top[r][half];
          SOLOPO_UNROLL
          for (int i = 0; i < strips; ++i) {
            now = now > s[r][i][2 * half] ? now : s[r][i][2 * half];
            now = now > s[r][i][2 * half + 1] ? now : s[r][i][2 * half + 1];
          }
          for (int m = 1; m < 4; m *= 2) {
            const float other = block.shuffle_xor(now, m);
            now = now > other ? now : other;
          }
          const float shift = now * scale,
                      keep = now == no_keys ? 1.0f : block.exp2(top[r][half] * scale - shift);
          top[r][half] = now;
          float add = 0;
          SOLOPO_UNROLL
          for (int i = 0; i < strips; ++i) {
            SOLOPO_UNROLL
            for (int e = 2 * half; e < 2 * half + 2; ++e) {
              const float p = s[r][i][e] == no_keys ? 0.0f : block.exp2(s[r][i][e] * scale - shift);
              s[r][i][e] = p;
              add += p;
            }
          }
          sum[r][half] = sum[r][half] * keep + add;
          SOLOPO_UNROLL
          for (int i = 0; i < D / 8; ++i) {
            o[r][i][2 * half] *= keep;
            o[r][i][2 * half + 1] *= keep;
          }
        }
      }
      SOLOPO_UNROLL
      for (int c = 0; c < tile_rows / 16; ++c) {
        SOLOPO_UNROLL
        for (int r = 0; r < rows_strips; ++r) {
          std::uint32_t operand[4];
          as_operand<strips>(block, operand, s[r], c);
          multiply<D / 8>(block, o[r], operand, v(current), c * 16);
        }
      }
      step.next();
      block.sync();  // before the next copy overwrites what was read
    }
    SOLOPO_UNROLL
    for (int r = 0; r < rows_strips; ++r) {
      SOLOPO_UNROLL
      for (int half = 0; half < 2; ++half) {
        float total = sum[r][half];
        for (int m = 1; m < 4; m *= 2) total += block.shuffle_xor(total, m);
        const int row = rows.begin + first_row + r * 16 + half * 8 + lane / 4;
        if (row >= rows.end) continue;
        const float inverse = total > 0 ? 1 / total : 0.0f;
        auto* const to = reinterpret_cast<std::uint32_t*>(a.out.row(row) + head * D);
        SOLOPO_UNROLL
        for (int i = 0; i < D / 8; ++i)
          to[i * 4 + lane % 4] = block.pack(o[r][i][2 * half] * inverse, o[r][i][2 * half + 1] * inverse);
        if (lane % 4 == 0)
          a.log_sum_exp[a.at(row, head)] = total > 0 ? top[r][half] * a.factor + std::log(total) : no_keys;
      }
    }
  }

  SOLOPO_DEVICE static void mask(float (&s)[strips][4], const TileRange& tile, int row, int begin, int lane) {
    const int seen[2] = {tile.visible(row) - begin, tile.visible(row + 8) - begin};
    SOLOPO_UNROLL
    for (int i = 0; i < strips; ++i) {
      SOLOPO_UNROLL
      for (int e = 0; e < 4; ++e)
        if (i * 8 + lane % 4 * 2 + e % 2 >= seen[e / 2]) s[i][e] = no_keys;
    }
  }
};

// dq of the rows of block x, head y; after delta.
template <int D>
struct QueryGradient {
  static constexpr std::size_t shared_bytes = sizeof(BFloat16) * D * 6 * tile_rows;
  AttentionArrays<BFloat16> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    auto* const memory = static_cast<BFloat16*>(block.shared());
    const auto tile_at = [&](int i) { return Tile<D>{memory + i * tile_rows * D}; };
    const Tile<D> q = tile_at(0), g = tile_at(1);
    const auto k = [&](int i) { return tile_at(2 + i); };
    const auto v = [&](int i) { return tile_at(4 + i); };
    const int head = block.y(), column = head / a.group() * D;
    const int lane = block.thread() % warp_size, first_row = block.thread() / warp_size * 16;
    const PlanBlock rows = a.query_blocks[block.x()];
    const auto start = [&](const KeySteps& step, int into) {
      const bool read = step.tiles[step.tile].read != 0;
      k(into).fill(block, read ? a.read.k : a.k, column, step.begin, step.end(), tile_rows);
      v(into).fill(block, read ? a.read.v : a.v, column, step.begin, step.end(), tile_rows);
    };
    KeySteps step(a.query_tiles, rows), ahead = step;
    q.fill(block, a.q, head * D, rows.begin, rows.end, tile_rows);
    g.fill(block, a.dout, head * D, rows.begin, rows.end, tile_rows);
    if (!ahead.done()) start(ahead, 0);
    block.commit();

    const float scale = a.factor * log2_e;
    float lse[2], delta[2];
    for (int half = 0; half < 2; ++half) {
      const int row = rows.begin + first_row + half * 8 + lane / 4;
      const std::ptrdiff_t at = a.at(row, head);
      lse[half] = row < rows.end ? a.log_sum_exp[at] * log2_e : 0;
      delta[half] = row < rows.end ? a.delta[at] : 0;
    }
    float dq[D / 8][4] = {};
    for (int current = 0; !step.done(); current ^= 1) {
      ahead.next();
      if (!ahead.done()) start(ahead, current ^ 1);
      block.commit();
      block.template wait<1>();
      block.sync();
      float s[strips][4] = {}, dp[strips][4] = {};
      SOLOPO_UNROLL
      for (int c = 0; c < D; c += 16) {
        std::uint32_t operand[4];
        load_a(block, operand, q, first_row, c);
        multiply_transposed<strips>(block, s, operand, k(current), c);
        load_a(block, operand, g, first_row, c);
        multiply_transposed<strips>(block, dp, operand, v(current), c);
      }
      const TileRange tile = step.tiles[step.tile];
      const int row = rows.begin + first_row + lane / 4;
      const int seen[2] = {tile.visible(row) - step.begin, tile.visible(row + 8) - step.begin};
      SOLOPO_UNROLL
      for (int i = 0; i < strips; ++i) {
        SOLOPO_UNROLL
        for (int e = 0; e < 4; ++e) {
          const float p =
              i * 8 + lane % 4 * 2 + e % 2 < seen[e / 2] ? block.exp2(s[i][e] * scale - lse[e / 2]) : 0;
          s[i][e] = p * (dp[i][e] - delta[e / 2]);
        }
      }
      SOLOPO_UNROLL
      for (int c = 0; c < tile_rows / 16; ++c) {
        std::uint32_t operand[4];
        as_operand<strips>(block, operand, s, c);
        multiply<D / 8>(block, dq, operand, k(current), c * 16);
      }
      step.next();
      block.sync();
    }
    for (int half = 0; half < 2; ++half) {
      const int row = rows.begin + first_row + half * 8 + lane / 4;
      if (row >= rows.end) continue;
      auto* const to = reinterpret_cast<std::uint32_t*>(a.dq.row(row) + head * D);
      SOLOPO_UNROLL
      for (int i = 0; i < D / 8; ++i)
        to[i * 4 + lane % 4] = block.pack(dq[i][2 * half] * a.factor, dq[i][2 * half + 1] * a.factor);
    }
  }
};

// The parts of dk and dv that query head y gives to the keys of block x; after delta. Scores are transposed:
// a warp has 16 keys.
template <int D>
struct KeyGradient {
  // With 64 queries at a time, heads of 128 would need more registers than there are.
  static constexpr int q_rows = D == 64 ? 64 : 32, q_strips = q_rows / 8;
  static constexpr std::size_t shared_bytes =
      sizeof(BFloat16) * D * (2 * tile_rows + 4 * q_rows) + sizeof(float) * 4 * q_rows;
  AttentionArrays<BFloat16> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    auto* const memory = static_cast<BFloat16*>(block.shared());
    const Tile<D> k{memory}, v{memory + tile_rows * D};
    const auto q = [&](int i) { return Tile<D>{memory + (2 * tile_rows + i * q_rows) * D}; };
    const auto g = [&](int i) { return q(2 + i); };
    auto* const numbers = reinterpret_cast<float*>(q(4).data);
    const auto lse = [&](int i) { return numbers + i * q_rows; };
    const auto delta = [&](int i) { return numbers + (2 + i) * q_rows; };
    const int head = block.y(), column = head / a.group() * D;
    const int lane = block.thread() % warp_size, first_key = block.thread() / warp_size * 16;
    const PlanBlock keys = a.key_blocks[block.x()];
    const auto start = [&](const QuerySteps<q_rows>& step, int into) {
      q(into).fill(block, a.q, head * D, step.begin, step.end(), q_rows);
      g(into).fill(block, a.dout, head * D, step.begin, step.end(), q_rows);
      const int i = block.thread(), row = step.begin + i;
      if (i >= q_rows) return;
      const std::ptrdiff_t at = a.at(row, head);
      lse(into)[i] = row < step.end() ? a.log_sum_exp[at] * log2_e : 0;
      delta(into)[i] = row < step.end() ? a.delta[at] : 0;
    };
    QuerySteps<q_rows> step(a.key_tiles, keys), ahead = step;
    k.fill(block, a.k, column, keys.begin, keys.end, tile_rows);
    v.fill(block, a.v, column, keys.begin, keys.end, tile_rows);
    if (!ahead.done()) start(ahead, 0);
    block.commit();

    const float scale = a.factor * log2_e;
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};
    for (int current = 0; !step.done(); current ^= 1) {
      ahead.next();
      if (!ahead.done()) start(ahead, current ^ 1);
      block.commit();
      block.template wait<1>();
      block.sync();
      float s[q_strips][4] = {}, dp[q_strips][4] = {};
      SOLOPO_UNROLL
      for (int c = 0; c < D; c += 16) {
        std::uint32_t operand[4];
        load_a(block, operand, k, first_key, c);
        multiply_transposed<q_strips>(block, s, operand, q(current), c);
        load_a(block, operand, v, first_key, c);
        multiply_transposed<q_strips>(block, dp, operand, g(current), c);
      }
      const TileRange tile = step.tiles[step.tile];
      const int key = keys.begin + first_key + lane / 4;
      SOLOPO_UNROLL
      for (int i = 0; i < q_strips; ++i) {
        SOLOPO_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int at = i * 8 + lane % 4 * 2 + e % 2, row = step.begin + at;
          const bool sees = row < step.end() && key + e / 2 * 8 < tile.visible(row);
          const float p = sees ? block.exp2(s[i][e] * scale - lse(current)[at]) : 0;
          s[i][e] = p;
          dp[i][e] = p * (dp[i][e] - delta(current)[at]);
        }
      }
      SOLOPO_UNROLL
      for (int c = 0; c < q_rows / 16; ++c) {
        std::uint32_t operand[4];
        as_operand<q_strips>(block, operand, s, c);
        multiply<D / 8>(block, dv, operand, g(current), c * 16);
      }
      SOLOPO_UNROLL
      for (int c = 0; c < q_rows / 16; ++c) {
        std::uint32_t operand[4];
        as_operand<q_strips>(block, operand, dp, c);
        multiply<D / 8>(block, dk, operand, q(current), c * 16);
      }
      step.next();
      block.sync();
    }
    for (int half = 0; half < 2; ++half) {
      const int key = keys.begin + first_key + half * 8 + lane / 4;
      if (key >= keys.end) continue;
      const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(key) * a.heads + head) * D;
      SOLOPO_UNROLL
      for (int i = 0; i < D / 8; ++i)
        for (int e = 0; e < 2; ++e) {
          a.dk_part[at + i * 8 + lane % 4 * 2 + e] = dk[i][2 * half + e] * a.factor;
          a.dv_part[at + i * 8 + lane % 4 * 2 + e] = dv[i][2 * half + e];
        }
    }
  }
};

}  // namespace solopo::cuda::tensor
