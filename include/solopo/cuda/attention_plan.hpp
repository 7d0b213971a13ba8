// A list of attention tiles cut into blocks for a device: which keys a block of queries sees and which
// queries see a block of keys. No block crosses the edge of a tile, so packed sequences and shared prompts
// cost nothing extra.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "solopo/core/config.hpp"
#include "solopo/kernels/attention_tile.hpp"
#include "solopo/model/computed_rows.hpp"

namespace solopo::cuda {

// Keys [kv_begin, kv_end) seen by query rows that end at q_end: row q sees the keys before visible(q).
struct TileRange {
  std::int32_t q_begin, q_end, kv_begin, kv_end;
  std::int32_t causal, read;
  SOLOPO_HD std::int32_t visible(std::int32_t row) const noexcept {
    return causal != 0 ? kv_end - (q_end - 1 - row) : kv_end;
  }
};

// Rows [begin, end) of queries or of keys, and the tiles [first, last) of the plan's list that they are in.
struct PlanBlock {
  std::int32_t begin, end, first, last;
};

// One side of attention in blocks: each row in one, those with the most work first.
struct AttentionPlan {
  std::vector<PlanBlock> blocks;
  std::vector<TileRange> tiles;  // of the blocks
};

namespace plan_detail {

// Cuts [0, rows) at every edge and then into at most `size` rows.
inline std::vector<PlanBlock> cut(std::vector<std::int32_t> edges, std::int32_t rows, std::int32_t size) {
  edges.push_back(0);
  edges.push_back(rows);
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  std::vector<PlanBlock> blocks;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i)
    for (std::int32_t begin = edges[i]; begin < edges[i + 1]; begin += size)
      blocks.push_back({begin, std::min(begin + size, edges[i + 1]), 0, 0});
  return blocks;
}

inline void most_work_first(std::vector<PlanBlock>& blocks, const std::vector<std::int64_t>& work) {
  std::vector<std::size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return work[a] > work[b]; });
  std::vector<PlanBlock> sorted;
  sorted.reserve(blocks.size());
  for (const std::size_t i : order) sorted.push_back(blocks[i]);
  blocks = std::move(sorted);
}

// Gives each block its tiles: those it is in, as far as work_of(tile, block) leaves them, which says their
// work.
template <class In, class WorkOf>
AttentionPlan plan_of(std::vector<PlanBlock> blocks, std::span<const kernels::AttentionTile> tiles,
                      bool tiles_only, In&& in, WorkOf&& work_of) {
  AttentionPlan plan{std::move(blocks), {}};
  std::vector<std::int64_t> work;
  for (PlanBlock& block : plan.blocks) {
    block.first = static_cast<std::int32_t>(plan.tiles.size());
    work.push_back(0);
    for (const kernels::AttentionTile& t : tiles) {
      if (!in(t, block)) continue;
      TileRange tile{t.q_begin, t.q_end, t.kv_begin, t.kv_end, t.causal ? 1 : 0, t.read ? 1 : 0};
      work.back() += work_of(tile, block);
      plan.tiles.push_back(tile);
    }
    block.last = static_cast<std::int32_t>(plan.tiles.size());
  }
  most_work_first(plan.blocks, work);
  if (tiles_only) std::erase_if(plan.blocks, [](const PlanBlock& b) { return b.first == b.last; });
  return plan;
}

}  // namespace plan_detail

// Whether every computed row is in a tile.
[[nodiscard]] inline bool all_in_tiles(const ComputedRows& computed) {
  if (computed.runs.empty()) return true;
  std::vector<char> in(static_cast<std::size_t>(computed.runs.back().end), 0);
  for (const kernels::AttentionTile& t : computed.tiles)
    std::fill(in.begin() + t.q_begin, in.begin() + t.q_end, 1);
  return std::all_of(computed.runs.begin(), computed.runs.end(), [&](const RowRun& run) {
    return std::find(in.begin() + run.begin, in.begin() + run.end, 0) == in.begin() + run.end;
  });
}

// Blocks of at most `size` queries for tiles over `rows` rows. tiles_only: rows in no tile are in no block.
[[nodiscard]] inline AttentionPlan query_plan(std::span<const kernels::AttentionTile> tiles,
                                              std::int32_t rows, std::int32_t size, bool tiles_only = false) {
  std::vector<std::int32_t> edges;
  for (const kernels::AttentionTile& t : tiles) edges.insert(edges.end(), {t.q_begin, t.q_end});
  return plan_detail::plan_of(
      plan_detail::cut(std::move(edges), rows, size), tiles, tiles_only,
      [](const kernels::AttentionTile& t, const PlanBlock& block) {
        return t.q_begin <= block.begin && block.begin < t.q_end;
      },
      [](TileRange& tile, const PlanBlock& block) { return tile.visible(block.end - 1) - tile.kv_begin; });
}

// The same for keys; keys that are read are in no block.
[[nodiscard]] inline AttentionPlan key_plan(std::span<const kernels::AttentionTile> tiles, std::int32_t rows,
                                            std::int32_t size, bool tiles_only = false) {
  std::vector<std::int32_t> edges;
  for (const kernels::AttentionTile& t : tiles)
    if (!t.read) edges.insert(edges.end(), {t.kv_begin, t.kv_end});
  return plan_detail::plan_of(
      plan_detail::cut(std::move(edges), rows, size), tiles, tiles_only,
      [](const kernels::AttentionTile& t, const PlanBlock& block) {
        return !t.read && t.kv_begin <= block.begin && block.begin < t.kv_end;
      },
      [](TileRange& tile, const PlanBlock& block) {
        // Rows before the first that sees the block's first key are left out.
        if (tile.causal) tile.q_begin = std::max(tile.q_begin, tile.q_end - (tile.kv_end - block.begin));
        return tile.q_end - tile.q_begin;
      });
}

}  // namespace solopo::cuda
