// The rows that a layer computes. Of the last layer only scored rows are read: every other row has keys and
// values there and nothing more. Exact, and of a prompt all but its last row is left out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/kernels/attention_tile.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo {

// Rows [begin, end) of a batch.
struct RowRun {
  std::int32_t begin, end;
  friend bool operator==(const RowRun&, const RowRun&) = default;
};

struct ComputedRows {
  std::vector<RowRun> runs;                   // ascending, apart from each other
  std::vector<kernels::AttentionTile> tiles;  // with queries in these runs only
};

// The rows of a batch that are scored, with its tiles as far as they are those rows'.
[[nodiscard]] inline ComputedRows scored_rows(const PackedSequences& batch) {
  std::vector<std::int32_t> rows;
  rows.reserve(batch.targets.size());
  for (const HeadTarget& target : batch.targets) rows.push_back(target.row);
  std::sort(rows.begin(), rows.end());
  ComputedRows out;
  for (const std::int32_t row : rows) {
    if (out.runs.empty() || row > out.runs.back().end) out.runs.push_back({row, row});
    out.runs.back().end = row + 1;
  }
  for (const kernels::AttentionTile& tile : batch.tiles)
    for (const RowRun& run : out.runs) {
      kernels::AttentionTile part = tile;
      part.q_begin = std::max(tile.q_begin, run.begin);
      part.q_end = std::min(tile.q_end, run.end);
      if (part.q_begin >= part.q_end) continue;
      if (tile.causal) part.kv_end -= tile.q_end - part.q_end;
      if (part.kv_begin < part.kv_end) out.tiles.push_back(part);
    }
  return out;
}

}  // namespace solopo
