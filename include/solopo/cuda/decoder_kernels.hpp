// What generation needs beside the model's own kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "solopo/core/view.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/cuda/head_kernels.hpp"
#include "solopo/cuda/row_kernels.hpp"
#include "solopo/model/basic_decoder.hpp"

namespace solopo::cuda {

// BiasAndRotate of a row of [q | k | v], whose keys and values then go to row places[x] of the cache.
template <class T>
struct RotateIntoCache {
  BiasAndRotate<T> rotate;
  const std::int32_t* places;
  MatrixView<T> cache;  // (K, 2 kv_heads d)

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    rotate(block);
    block.sync();
    const T* const from = rotate.x.row(block.x()) + (rotate.x.columns - cache.columns);
    T* const to = cache.row(places[block.x()]);
    BlockTeam<Block>(block).each(static_cast<int>(cache.columns), [&](int i) { to[i] = from[i]; });
  }
};

// The greedy token of row x of logits (n, V): the smallest id of the largest logit. Of a row that is not a
// number it is one in the vocabulary, too.
struct ChooseGreedy {
  const float* logits;
  int vocabulary;
  ChosenToken* chosen;  // (n)

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const float* const z = logits + static_cast<std::ptrdiff_t>(block.x()) * vocabulary;
    const int last = vocabulary - 1;
    const float top = team.template max<float>(vocabulary, z[0], [&](int i) { return z[i]; });
    // The smallest id is the farthest from the last. (As the largest of -id it came out wrong on an H200,
    // built by nvcc 13.0 for sm_90, though not on the host.)
    const int token =
        last - team.template max<int>(vocabulary, 0, [&](int i) { return z[i] == top ? last - i : 0; });
    const float sum = log_sum_exp(block, z, vocabulary);
    team.once([&] { chosen[block.x()] = {token, z[token] - sum}; });
  }
};

}  // namespace solopo::cuda
