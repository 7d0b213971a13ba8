// Attention of a few queries to many keys, as when tokens are generated: the keys are split over blocks, each
// gives the sum of its part (flash-decoding), and a second kernel adds the parts of a row in order. A block
// reads its keys once for all queries that share them: the heads of a group and the samples of a prompt. How
// keys are split depends on a row's tiles alone, so a row's result does not depend on the other rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/view.hpp"
#include "solopo/cuda/attention_arrays.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/cuda/growing_array.hpp"
#include "solopo/cuda/row_kernels.hpp"
#include "solopo/kernels/attention_tile.hpp"
#include "solopo/kernels/exp.hpp"

namespace solopo::cuda {

namespace split {

inline constexpr int threads = 128;
inline constexpr int most_keys = 64, most_lines = 32;  // of a block
inline constexpr int lines_at_once = 4;                // that a thread computes

}  // namespace split

// What one block computes for each key head. Its lines are queries: a tile's rows times the heads of a group,
// line = row * group + head. Row r of the tile has its sum in slot `slot` + r.
struct KeyPart {
  std::int32_t q_begin, first_line, lines, kv_begin, kv_end, slot;
};

struct SplitPlan {
  std::vector<KeyPart> parts;
  std::vector<std::int32_t> begins;  // (rows + 1): a row's slots are slots[begins[row], begins[row + 1])
  std::vector<std::int32_t> slots;
};

// The parts of tiles that are not causal, over `rows` rows.
[[nodiscard]] inline SplitPlan split_plan(std::span<const kernels::AttentionTile> tiles, std::int32_t rows,
                                          std::int32_t group) {
  SplitPlan plan;
  std::vector<std::vector<std::int32_t>> slots(static_cast<std::size_t>(rows));
  std::int32_t slot = 0;
  for (const kernels::AttentionTile& t : tiles) {
    const std::int32_t lines = (t.q_end - t.q_begin) * group;
    for (std::int32_t key = t.kv_begin; key < t.kv_end; key += split::most_keys) {
      for (std::int32_t line = 0; line < lines; line += split::most_lines)
        plan.parts.push_back({t.q_begin, line, std::min(split::most_lines, lines - line), key,
                              std::min(key + split::most_keys, t.kv_end), slot});
      for (std::int32_t q = t.q_begin; q < t.q_end; ++q) slots[static_cast<std::size_t>(q)].push_back(slot++);
    }
  }
  for (const auto& of_row : slots) {
    plan.begins.push_back(static_cast<std::int32_t>(plan.slots.size()));
    plan.slots.insert(plan.slots.end(), of_row.begin(), of_row.end());
  }
  plan.begins.push_back(static_cast<std::int32_t>(plan.slots.size()));
  return plan;
}

// What the two kernels share.
template <class T>
struct SplitArrays {
  int heads = 0, kv_heads = 0, head_dim = 0;
  float factor = 0;             // of scores
  MatrixView<const T> q, k, v;  // (S, heads d), (K, kv_heads d) twice
  MatrixView<T> out;            // (S, heads d)
  const KeyPart* parts = nullptr;
  const std::int32_t *begins = nullptr, *slots = nullptr;
  // Of a slot and head: the sum of exp(score - top) v, not divided by anything, top and the sum of exp.
  float *sums = nullptr, *tops = nullptr, *weights = nullptr;  // (slots, heads, d), (slots, heads) twice

  [[nodiscard]] SOLOPO_HD std::ptrdiff_t at(int slot, int head) const noexcept {
    return static_cast<std::ptrdiff_t>(slot) * heads + head;
  }
};

// Four neighbours in shared memory.
struct alignas(16) Four {
  float v[4];
  SOLOPO_DEVICE static Four load(const float* from) { return *reinterpret_cast<const Four*>(from); }
};

// Part x, key head y.
template <class T>
struct SplitAttentionSums {
  SplitArrays<T> a;

  // Rows in shared memory are a multiple of four long, zero behind the head's width; those of keys, of which
  // each lane reads another, are four longer, so that they begin in different banks.
  [[nodiscard]] SOLOPO_HD static int width(int head_dim) { return (head_dim + 3) / 4 * 4; }
  [[nodiscard]] static std::size_t shared_bytes(int head_dim) {
    const int lines = split::most_lines, keys = split::most_keys, w = width(head_dim);
    return sizeof(float) * static_cast<std::size_t>(lines * w + keys * (w + 4) + keys * w + lines * keys);
  }

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const KeyPart part = a.parts[block.x()];
    const int d = a.head_dim, w = width(d), group = a.heads / a.kv_heads, kv_head = block.y();
    const int n = part.kv_end - part.kv_begin, keys = (n + 3) / 4 * 4;
    const int strips = (part.lines + split::lines_at_once - 1) / split::lines_at_once;
    const auto row_of = [&](int line) { return (part.first_line + line) / group; };  // of the tile
    const auto head_of = [&](int line) { return kv_head * group + (part.first_line + line) % group; };
    float* const query = static_cast<float*>(block.shared());
    float *const key = query + split::most_lines * w, *const value = key + split::most_keys * (w + 4),
                 *const p = value + split::most_keys * w;

    fill(block, query, w, strips * split::lines_at_once, part.lines,
         [&](int line) { return a.q.row(part.q_begin + row_of(line)) + head_of(line) * d; });
    fill(block, key, w + 4, keys, n, [&](int i) { return a.k.row(part.kv_begin + i) + kv_head * d; });
    fill(block, value, w, keys, n, [&](int i) { return a.v.row(part.kv_begin + i) + kv_head * d; });
    block.sync();

    for (int u = block.thread(); u < strips * keys; u += block.threads()) {
      const int i = u % keys, line = u / keys * split::lines_at_once;
      float s[split::lines_at_once] = {};
      for (int c = 0; c < w; c += 4) {
        const Four k = Four::load(key + i * (w + 4) + c);
        SOLOPO_UNROLL
        for (int l = 0; l < split::lines_at_once; ++l) {
          const Four q = Four::load(query + (line + l) * w + c);
          SOLOPO_UNROLL
          for (int e = 0; e < 4; ++e) s[l] += q.v[e] * k.v[e];
        }
      }
      SOLOPO_UNROLL
      for (int l = 0; l < split::lines_at_once; ++l) p[(line + l) * split::most_keys + i] = s[l] * a.factor;
    }
    block.sync();

    const int lane = block.thread() % warp_size;
    for (int line = block.thread() / warp_size; line < part.lines; line += block.threads() / warp_size) {
      float* const scores = p + line * split::most_keys;
      float top = no_keys, sum = 0;
      for (int i = lane; i < n; i += warp_size) top = top > scores[i] ? top : scores[i];
      for (int mask = warp_size / 2; mask > 0; mask /= 2) {
        const float other = block.shuffle_xor(top, mask);
        top = top > other ? top : other;
      }
      for (int i = lane; i < keys; i += warp_size)
        sum += scores[i] = i < n ? kernels::fast_exp(scores[i] - top) : 0.0f;
      for (int mask = warp_size / 2; mask > 0; mask /= 2) sum += block.shuffle_xor(sum, mask);
      if (lane != 0) continue;
      const std::ptrdiff_t at = a.at(part.slot + row_of(line), head_of(line));
      a.tops[at] = top;
      a.weights[at] = sum;
    }
    block.sync();

    for (int u = block.thread(); u < strips * d; u += block.threads()) {
      const int j = u % d, line = u / d * split::lines_at_once;
      float o[split::lines_at_once] = {};
      for (int i = 0; i < keys; i += 4) {
        float v[4];
        SOLOPO_UNROLL
        for (int e = 0; e < 4; ++e) v[e] = value[(i + e) * w + j];
        SOLOPO_UNROLL
        for (int l = 0; l < split::lines_at_once; ++l) {
          const Four q = Four::load(p + (line + l) * split::most_keys + i);
          SOLOPO_UNROLL
          for (int e = 0; e < 4; ++e) o[l] += q.v[e] * v[e];
        }
      }
      SOLOPO_UNROLL
      for (int l = 0; l < split::lines_at_once; ++l)
        if (line + l < part.lines)
          a.sums[a.at(part.slot + row_of(line + l), head_of(line + l)) * d + j] = o[l];
    }
  }

 private:
  // Heads from(i) for i < given as float32 into rows `stride` apart, zeros into the others of `rows`.
  template <class Block, class From>
  SOLOPO_DEVICE void fill(Block& block, float* to, int stride, int rows, int given, From&& from) const {
    const int d = a.head_dim, w = width(d);
    if (in_pieces(d)) {
      for (int u = block.thread(); u < rows * (d / 8); u += block.threads()) {
        const int row = u / (d / 8), c = u % (d / 8) * 8;
        Piece<T> piece{};
        if (row < given) piece = Piece<T>::load(from(row) + c);
        Piece<float> wide;
        SOLOPO_UNROLL
        for (int e = 0; e < 8; ++e) wide.v[e] = static_cast<float>(piece.v[e]);
        wide.store(to + row * stride + c);
      }
    } else {
      for (int u = block.thread(); u < rows * w; u += block.threads()) {
        const int row = u / w, c = u % w;
        to[row * stride + c] = row < given && c < d ? static_cast<float>(from(row)[c]) : 0.0f;
      }
    }
  }
};

// Row x, head y: its parts as one. A row without keys becomes zero.
template <class T>
struct SplitAttentionMerge {
  SplitArrays<T> a;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int row = block.x(), head = block.y(), d = a.head_dim;
    const std::int32_t* const slots = a.slots + a.begins[row];
    const int n = a.begins[row + 1] - a.begins[row];
    const float top =
        team.template max<float>(n, no_keys, [&](int i) { return a.tops[a.at(slots[i], head)]; });
    const auto share = [&](int i) { return kernels::fast_exp(a.tops[a.at(slots[i], head)] - top); };
    const float sum =
        team.template sum<float>(n, [&](int i) { return a.weights[a.at(slots[i], head)] * share(i); });
    team.each(d, [&](int j) {
      float o = 0;
      for (int i = 0; i < n; ++i) o += share(i) * a.sums[a.at(slots[i], head) * d + j];
      a.out(row, head * d + j) = sum > 0 ? o / sum : 0.0f;
    });
  }
};

template <class T, class Queue>
class SplitAttention {
 public:
  SplitAttention(Queue& queue, int heads, int kv_heads, int head_dim) : queue_(queue) {
    base_.heads = heads;
    base_.kv_heads = kv_heads;
    base_.head_dim = head_dim;
    base_.factor = 1 / std::sqrt(static_cast<float>(head_dim));
  }

  // The tiles of the passes to come, none of them causal, over `rows` rows; all keys are rows of k and v.
  void set(std::span<const kernels::AttentionTile> tiles, std::int32_t rows) {
    const SplitPlan plan = split_plan(tiles, rows, base_.heads / base_.kv_heads);
    const auto heads = static_cast<std::size_t>(base_.heads), sums = plan.slots.size() * heads;
    rows_ = rows;
    count_ = static_cast<int>(plan.parts.size());
    base_.parts = parts_.upload(queue_, plan.parts);
    base_.begins = begins_.upload(queue_, plan.begins);
    base_.slots = slots_.upload(queue_, plan.slots);
    base_.sums = sums_.reserve(queue_, sums * static_cast<std::size_t>(base_.head_dim));
    base_.tops = tops_.reserve(queue_, sums);
    base_.weights = weights_.reserve(queue_, sums);
  }

  // q, out (S, heads d); k, v (K, kv_heads d).
  void forward(MatrixView<const T> q, const kernels::KeyValues<T>& keys, MatrixView<T> out) {
    SplitArrays<T> a = base_;
    a.q = q;
    a.k = keys.k;
    a.v = keys.v;
    a.out = out;
    queue_.launch(count_, a.kv_heads, split::threads, SplitAttentionSums<T>::shared_bytes(a.head_dim),
                  SplitAttentionSums<T>{a});
    const int threads = std::clamp((a.head_dim + warp_size - 1) / warp_size * warp_size, warp_size, 256);
    queue_.launch(rows_, a.heads, threads, 0, SplitAttentionMerge<T>{a});
  }

  [[nodiscard]] std::size_t bytes() const noexcept {
    return parts_.bytes() + begins_.bytes() + slots_.bytes() + sums_.bytes() + tops_.bytes() +
           weights_.bytes();
  }

 private:
  Queue& queue_;
  SplitArrays<T> base_;
  std::int32_t rows_ = 0;
  int count_ = 0;  // of parts
  GrowingArray<KeyPart, Queue> parts_;
  GrowingArray<std::int32_t, Queue> begins_, slots_;
  GrowingArray<float, Queue> sums_, tops_, weights_;
};

}  // namespace solopo::cuda
