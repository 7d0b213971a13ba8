// What a pass through a model computes, counted: tokens through the layers, query-key pairs of attention,
// rows of the head. FLOPs follow from these and the model's shape (flops.hpp), and the running model counts
// its own (model/work_count.hpp), so the two can be compared to the last unit.
#pragma once

#include "solopo/cost/count.hpp"

namespace solopo::cost {

struct Work {
  Count tokens = 0;     // T: rows that go through every layer's linear maps
  Count pairs = 0;      // S: (query, key) pairs that the mask lets see each other, of one head in one layer
  Count head_rows = 0;  // M: (row, target token) pairs; a row with two targets counts twice
  // Those of the above that the last layer does not compute, because nothing after its keys and values reads
  // them: 0 unless the last layer is skipped where it can be.
  Count last_layer_skipped_tokens = 0, last_layer_skipped_pairs = 0;

  friend constexpr Work operator+(const Work& a, const Work& b) {
    return {sum(a.tokens, b.tokens), sum(a.pairs, b.pairs), sum(a.head_rows, b.head_rows),
            sum(a.last_layer_skipped_tokens, b.last_layer_skipped_tokens),
            sum(a.last_layer_skipped_pairs, b.last_layer_skipped_pairs)};
  }
  constexpr Work& operator+=(const Work& other) { return *this = *this + other; }
  friend constexpr bool operator==(const Work&, const Work&) = default;
};

}  // namespace solopo::cost
