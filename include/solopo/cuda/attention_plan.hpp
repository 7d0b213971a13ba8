// A list of attention tiles cut into blocks for a device: which keys a block of queries sees and which
// queries see a block of keys. No block crosses the edge of a tile, so packed sequences and shared prompts
// cost nothing extra.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "solopo/core/config.hpp"
#include "solopo/kernels/attention_tile.hpp"

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

struct AttentionPlan {
  std::vector<PlanBlock> queries;      // each row of queries in one block, blocks with the most keys first
  std::vector<TileRange> query_tiles;  // of query blocks
  std::vector<PlanBlock> keys;         // each row of keys in one block; keys that are read have none
  std::vector<TileRange> key_tiles;    // of key blocks
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

}  // namespace plan_detail

// Blocks of at most q_size queries and kv_size keys for tiles over `rows` rows. tiles_only: rows in no tile
// are in no block.
[[nodiscard]] inline AttentionPlan attention_plan(std::span<const kernels::AttentionTile> tiles,
                                                  std::int32_t rows, std::int32_t q_size,
                                                  std::int32_t kv_size, bool tiles_only = false) {
  AttentionPlan plan;
  std::vector<std::int32_t> q_edges, kv_edges;
  for (const kernels::AttentionTile& t : tiles) {
    q_edges.insert(q_edges.end(), {t.q_begin, t.q_end});
    if (!t.read) kv_edges.insert(kv_edges.end(), {t.kv_begin, t.kv_end});
  }
  const auto range = [](const kernels::AttentionTile& t) {
    return TileRange{t.q_begin, t.q_end, t.kv_begin, t.kv_end, t.causal ? 1 : 0, t.read ? 1 : 0};
  };
  std::vector<std::int64_t> work;
  plan.queries = plan_detail::cut(std::move(q_edges), rows, q_size);
  for (PlanBlock& block : plan.queries) {
    block.first = static_cast<std::int32_t>(plan.query_tiles.size());
    work.push_back(0);
    for (const kernels::AttentionTile& t : tiles)
      if (t.q_begin <= block.begin && block.begin < t.q_end) {
        plan.query_tiles.push_back(range(t));
        work.back() += range(t).visible(block.end - 1) - t.kv_begin;
      }
    block.last = static_cast<std::int32_t>(plan.query_tiles.size());
  }
  plan_detail::most_work_first(plan.queries, work);
  if (tiles_only) std::erase_if(plan.queries, [](const PlanBlock& b) { return b.first == b.last; });
  work.clear();
  plan.keys = plan_detail::cut(std::move(kv_edges), rows, kv_size);
  for (PlanBlock& block : plan.keys) {
    block.first = static_cast<std::int32_t>(plan.key_tiles.size());
    work.push_back(0);
    for (const kernels::AttentionTile& t : tiles)
      if (!t.read && t.kv_begin <= block.begin && block.begin < t.kv_end) {
        TileRange tile = range(t);
        // Rows before the first that sees the block's first key are left out.
        if (t.causal) tile.q_begin = std::max(t.q_begin, t.q_end - (t.kv_end - block.begin));
        plan.key_tiles.push_back(tile);
        work.back() += tile.q_end - tile.q_begin;
      }
    block.last = static_cast<std::int32_t>(plan.key_tiles.size());
  }
  plan_detail::most_work_first(plan.keys, work);
  if (tiles_only) std::erase_if(plan.keys, [](const PlanBlock& b) { return b.first == b.last; });
  return plan;
}

}  // namespace solopo::cuda
