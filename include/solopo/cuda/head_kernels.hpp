// The language-model head's rows on a device: log-probabilities of targets from float32 logits, and logits'
// gradients in the type that the products read.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "solopo/core/response.hpp"
#include "solopo/cuda/block_team.hpp"
#include "solopo/cuda/row_kernels.hpp"
#include "solopo/kernels/softmax.hpp"

namespace solopo::cuda {

// A chunk of rows of logits (n, V) and the numbers of those rows.
struct LogitRows {
  const float* logits;
  int vocabulary;
  const std::int32_t *targets, *responses;  // (n)
  float *logps, *log_sum_exp;               // (n)
  Statistic statistic;                      // none, head_logp or collision_logp
  float* statistics;                        // (n), with collision_logp

  SOLOPO_HD const float* row(int i) const { return logits + static_cast<std::ptrdiff_t>(i) * vocabulary; }
};

// kernels::log_sum_exp_row in one pass over the row, whose bytes are what it costs: a thread's own largest
// logit and sum are corrected when a larger one comes.
template <class Block>
SOLOPO_DEVICE float log_sum_exp(Block& block, const float* z, int n) {
  const BlockTeam<Block> team(block);
  if (!in_pieces(n)) return kernels::log_sum_exp_row(team, z, n);
  float own = -3.4028235e38f, sum = 0;
  for (int at = block.thread() * 8; at < n; at += block.threads() * 8) {
    const auto piece = Piece<float>::load(z + at);
    float top = own;
    SOLOPO_UNROLL
    for (int i = 0; i < 8; ++i) top = top > piece.v[i] ? top : piece.v[i];
    sum *= kernels::fast_exp(own - top);
    own = top;
    SOLOPO_UNROLL
    for (int i = 0; i < 8; ++i) sum += kernels::fast_exp(piece.v[i] - own);
  }
  const float top = team.template max<float>(block.threads(), own, [&](int) { return own; });
  sum = sum > 0 ? sum * kernels::fast_exp(own - top) : 0.0f;
  return top + std::log(team.template sum<float>(block.threads(), [&](int) { return sum; }));
}

// Row x.
struct LogProbs {
  LogitRows rows;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int i = block.x();
    const float* const z = rows.row(i);
    const float sum = log_sum_exp(block, z, rows.vocabulary);
    const float collision = rows.statistic == Statistic::collision_logp
                                ? kernels::collision_logp_row(team, z, sum, rows.vocabulary)
                                : 0.0f;
    team.once([&] {
      rows.log_sum_exp[i] = sum;
      rows.logps[i] = z[rows.targets[i]] - sum;
      if (rows.statistic == Statistic::collision_logp) rows.statistics[i] = collision;
    });
  }
};

// Row x of dlogits (n, V), from the derivatives by each response's sums.
template <class T>
struct LogitGradient {
  LogitRows rows;
  const float *dlogps, *dstatistics;  // (responses)
  T* dlogits;

  template <class Block>
  SOLOPO_DEVICE void operator()(Block& block) const {
    const BlockTeam<Block> team(block);
    const int i = block.x(), response = rows.responses[i];
    T* const dz = dlogits + static_cast<std::ptrdiff_t>(i) * rows.vocabulary;
    if (rows.statistic == Statistic::collision_logp) {
      kernels::collision_gradient_row(team, rows.row(i), rows.log_sum_exp[i], rows.vocabulary,
                                      rows.targets[i], dlogps[response], rows.statistics[i],
                                      dstatistics[response], dz);
    } else if (in_pieces(rows.vocabulary)) {
      const float *const z = rows.row(i), lse = rows.log_sum_exp[i], coefficient = dlogps[response];
      const int target = rows.targets[i];
      for (int at = block.thread() * 8; at < rows.vocabulary; at += block.threads() * 8) {
        const auto piece = Piece<float>::load(z + at);
        Piece<T> d;
        SOLOPO_UNROLL
        for (int e = 0; e < 8; ++e)
          d.v[e] =
              (at + e == target ? coefficient : 0.0f) - coefficient * kernels::fast_exp(piece.v[e] - lse);
        d.store(dz + at);
      }
    } else {
      kernels::log_softmax_gradient_row(team, rows.row(i), rows.vocabulary, rows.log_sum_exp[i],
                                        rows.targets[i], dlogps[response], dz);
    }
  }
};

}  // namespace solopo::cuda
