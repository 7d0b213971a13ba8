// From how many query-key pairs on a library's attention is worth asking for, given what a run will ask: a
// library is faster than our own kernels, but makes a plan for every new shape, and on records of all lengths
// the plans take longer than they save.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "solopo/cuda/device_attention.hpp"
#include "solopo/cuda/library_attention.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo::cuda {

// What a plan takes, and what our own kernels take more than a library for an operation, in training. From
// docs/results/gpu-h200-2026-11-26.md: 0.18 s a record of two new shapes; 85 against 275 TFLOP/s (9 heads
// over 3 of 64, 8,192 tokens, forward and backward).
inline constexpr double plan_seconds = 0.09, own_seconds_per_flop = 1 / 85e12 - 1 / 275e12;

// The calls of a library that a run's batches would be.
class LibraryUses {
 public:
  // `times`: how often the run computes the batch.
  void add(const PackedSequences& batch, double times) {
    constexpr std::int64_t least = 1 << 16;  // fewer fill no card
    const auto rows = static_cast<std::int32_t>(batch.tokens.size());
    std::map<std::int32_t, Group> groups;  // by their first query
    for (const LibraryPlan::Call& c : library_plan(batch.tiles, rows, least).calls) {
      const std::int64_t n = c.q_end - c.q_begin, keys = c.kv_end - c.kv_begin;
      Group& group = groups[c.q_begin];
      group.shapes.emplace_back(n, keys, c.causal, c.read);
      group.pairs += c.causal ? n * (n + 1) / 2 : n * keys;
    }
    for (const auto& [first, group] : groups) times_[group] += times;
  }

  // Pairs of a sequence, in each layer, from which the run takes the least time, plans included, when a pair
  // costs `flops_per_pair` in all layers, forward and backward; never_library: no sequence is worth its
  // plans.
  [[nodiscard]] std::int64_t least(double flops_per_pair) const {
    double saved = 0, most = 0;
    std::int64_t best = never_library;
    std::set<Shape> planned;
    for (auto at = times_.begin(); at != times_.end();) {
      const std::int64_t pairs = at->first.pairs;
      for (; at != times_.end() && at->first.pairs == pairs; ++at) {
        saved += at->second * static_cast<double>(pairs) * flops_per_pair * own_seconds_per_flop;
        for (const Shape& shape : at->first.shapes)
          if (planned.insert(shape).second) saved -= plan_seconds;
      }
      if (saved <= most) continue;
      most = saved;
      best = pairs;
    }
    return best;
  }

 private:
  using Shape = std::tuple<std::int64_t, std::int64_t, bool, bool>;  // rows of queries, of keys; causal; read
  // Calls of the same queries; those of the most pairs first.
  struct Group {
    std::int64_t pairs = 0;
    std::vector<Shape> shapes{};
    friend bool operator<(const Group& a, const Group& b) {
      return a.pairs != b.pairs ? a.pairs > b.pairs : a.shapes < b.shapes;
    }
  };
  std::map<Group, double> times_;
};

}  // namespace solopo::cuda
