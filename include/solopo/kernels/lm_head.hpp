// Log-probabilities of given tokens through a language-model head, without the (rows, vocabulary) array:
// logits exist for a tile of rows and vocabulary at a time and are computed again in the backward. The
// vocabulary is the outer loop, so that each weight comes from memory once a pass however many rows there
// are (arXiv 2411.09009). One more number a row, for objectives that read a Statistic of their responses, is
// made in the same pass over the logits.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/response.hpp"
#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"
#include "solopo/kernels/softmax.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

// A tile of logits: small enough to stay in a cache with the part of the weight that made it.
inline constexpr std::ptrdiff_t head_tile_rows = 512, head_tile_columns = 768;

// Rows of a model that predict tokens, and the head they go through.
template <class T>
struct HeadRows {
  MatrixView<const T> hidden, weight;  // (M, C), (V, C)
};

// The number a row is asked for next to the log-probability of its target; none and head_logp ask for none.
// `reference` is the other model of a sequential_kl: the same rows and vocabulary, of any width.
template <class T>
struct RowStatistic {
  Statistic kind = Statistic::none;
  HeadRows<T> reference{};

  [[nodiscard]] bool compares() const noexcept { return kind == Statistic::sequential_kl; }
  [[nodiscard]] bool any() const noexcept { return compares() || kind == Statistic::collision_logp; }
};

namespace lm_head_detail {

// Logits of rows [row, row + rows) for tokens [token, token + tokens).
template <class T>
struct Tile {
  std::ptrdiff_t row, rows, token, tokens;
  T *logits, *reference;  // (rows, tokens) each; the second null when the statistic does not compare
};

// Calls f(tile) for every tile with its logits, all rows of a part of the vocabulary after each other.
template <class T, class Product, class F>
void for_each_tile(const HeadRows<T>& head, const RowStatistic<T>& statistic, AlignedVector<T>& logits,
                   F&& f) {
  const std::ptrdiff_t rows = head.hidden.rows, vocab = head.weight.rows;
  const std::ptrdiff_t most_rows = std::min(head_tile_rows, rows),
                       most_tokens = std::min(head_tile_columns, vocab), one = most_rows * most_tokens;
  const auto size = static_cast<std::size_t>(one * (statistic.compares() ? 2 : 1));
  if (logits.size() < size) resize_discarding(logits, size);
  const auto multiply = [](const HeadRows<T>& h, const Tile<T>& tile, T* out) {
    const MatrixView<const T> part = h.weight.slice(tile.token, tile.token + tile.tokens);
    Product::template gemm<T>(false, true, tile.rows, tile.tokens, part.columns, T(1), h.hidden.row(tile.row),
                              h.hidden.stride, part.data, part.stride, T(0), out, tile.tokens);
  };
  for (std::ptrdiff_t token = 0; token < vocab; token += most_tokens)
    for (std::ptrdiff_t row = 0; row < rows; row += most_rows) {
      const Tile<T> tile{row,           std::min(most_rows, rows - row),
                         token,         std::min(most_tokens, vocab - token),
                         logits.data(), statistic.compares() ? logits.data() + one : nullptr};
      multiply(head, tile, tile.logits);
      if (tile.reference) multiply(statistic.reference, tile, tile.reference);
      f(tile);
    }
}

// f(row, z, q) for every row of a tile, with its logits there and the reference's or null.
template <class T, class F>
void for_each_row(const Tile<T>& tile, F&& f) {
  parallel_for(tile.rows, [&](std::ptrdiff_t i) {
    f(static_cast<std::size_t>(tile.row + i), tile.logits + i * tile.tokens,
      tile.reference ? tile.reference + i * tile.tokens : nullptr);
  });
}

// What is known of a row after a part of the vocabulary.
template <class T>
struct RowSums {
  ExpSum<T> own{}, reference{};
  T other = T(0);  // of the statistic, under own.top or reference.top
};

}  // namespace lm_head_detail

// How many numbers `log_sum_exp` holds for M rows: a comparing statistic needs the reference's too.
template <class T>
[[nodiscard]] std::size_t log_sum_exp_size(std::size_t rows, const RowStatistic<T>& statistic) noexcept {
  return statistic.compares() ? 2 * rows : rows;
}

// logps (M) = log softmax(hidden W^T)[target] for hidden (M, C), W (V, C), targets (M); log_sum_exp
// (log_sum_exp_size()) is kept for the backward, as is statistics (M), which is empty when none is asked for.
// `logits` is workspace, grown to (min(M, head_tile_rows), min(V, head_tile_columns)), twice that when the
// statistic compares with a reference.
template <class T, class Product = DefaultProduct>
void lm_head_forward(MatrixView<const T> hidden, MatrixView<const T> weight,
                     std::span<const std::int32_t> targets, std::span<T> logps, std::span<T> log_sum_exp,
                     AlignedVector<T>& logits, const RowStatistic<T>& statistic = {},
                     std::span<T> statistics = {}) {
  const CpuTeam team;
  const bool collides = statistic.kind == Statistic::collision_logp;
  std::vector<lm_head_detail::RowSums<T>> sums(targets.size());
  lm_head_detail::for_each_tile<T, Product>(
      {hidden, weight}, statistic, logits, [&](const lm_head_detail::Tile<T>& tile) {
        const int n = static_cast<int>(tile.tokens);
        lm_head_detail::for_each_row(tile, [&](std::size_t row, const T* z, const T* q) {
          auto& s = sums[row];
          const T shrink = add_exp_row(team, z, n, s.own);
          if (collides) s.other = s.other * shrink * shrink + squares_row(team, z, s.own.top, n);
          if (q) {
            const T reference_shrink = add_exp_row(team, q, n, s.reference);
            s.other = s.other * reference_shrink + cross_row(team, q, s.reference.top, z, n);
          }
          if (const std::ptrdiff_t at = targets[row] - tile.token; at >= 0 && at < tile.tokens)
            logps[row] = z[at];
        });
      });
  for (std::size_t row = 0; row < sums.size(); ++row) {
    const auto& s = sums[row];
    const T sum = s.own.log();
    log_sum_exp[row] = sum;
    logps[row] -= sum;
    if (collides) statistics[row] = std::log(s.other) + T(2) * (s.own.top - sum);
    if (statistic.compares()) {
      const T reference = s.reference.log();
      log_sum_exp[sums.size() + row] = reference;
      statistics[row] = s.other / s.reference.sum - (reference - sum);
    }
  }
}

// Given d loss / d logps (M), and d loss / d statistics (M) where the forward made some: writes dhidden
// (M, C) and adds into dweight (V, C), unless that has no data: a frozen head. The reference of a statistic
// gets no gradient.
template <class T, class Product = DefaultProduct>
void lm_head_backward(MatrixView<const T> hidden, MatrixView<const T> weight,
                      std::span<const std::int32_t> targets, std::span<const T> dlogps,
                      std::span<const T> log_sum_exp, MatrixView<T> dhidden, MatrixView<T> dweight,
                      AlignedVector<T>& logits, const RowStatistic<T>& statistic = {},
                      std::span<const T> statistics = {}, std::span<const T> dstatistics = {}) {
  const std::ptrdiff_t width = hidden.columns;
  const CpuTeam team;
  lm_head_detail::for_each_tile<T, Product>(
      {hidden, weight}, statistic, logits, [&](const lm_head_detail::Tile<T>& tile) {
        const int n = static_cast<int>(tile.tokens), first = static_cast<int>(tile.token);
        lm_head_detail::for_each_row(tile, [&](std::size_t row, T* z, const T* q) {
          const int target = targets[row] - first;
          if (q) {
            divergence_gradient_row(team, q, log_sum_exp[targets.size() + row], z, log_sum_exp[row], n,
                                    target, dlogps[row], dstatistics[row], z);
          } else if (statistic.kind == Statistic::collision_logp) {
            collision_gradient_row(team, z, log_sum_exp[row], n, target, dlogps[row], statistics[row],
                                   dstatistics[row], z);
          } else {
            log_softmax_gradient_row(team, z, n, log_sum_exp[row], target, dlogps[row], z);
          }
        });
        const MatrixView<const T> part = weight.slice(tile.token, tile.token + tile.tokens);
        Product::template gemm<T>(false, false, tile.rows, width, tile.tokens, T(1), tile.logits, tile.tokens,
                                  part.data, part.stride, tile.token == 0 ? T(0) : T(1),
                                  dhidden.row(tile.row), dhidden.stride);
        if (dweight.data == nullptr) return;
        Product::template gemm<T>(true, false, tile.tokens, width, tile.rows, T(1), tile.logits, tile.tokens,
                                  hidden.row(tile.row), hidden.stride, T(1), dweight.row(tile.token),
                                  dweight.stride);
      });
}

}  // namespace solopo::kernels
