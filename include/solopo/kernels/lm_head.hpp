// Log-probabilities of given tokens through a language-model head, without the (rows, vocabulary) array:
// logits exist for a chunk of rows at a time and are computed again in the backward. One more number a row,
// for objectives that read a Statistic of their responses, is made in the same pass over the logits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "solopo/core/response.hpp"
#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"
#include "solopo/kernels/softmax.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

inline constexpr std::ptrdiff_t head_chunk = 64;  // rows of logits held at once

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

// Calls each(row, z, q) for every row, z (V) its logits, q (V) those of the statistic's reference or null;
// then after(begin, n) for every chunk, whose logits `z` (n, V) begin at logits.data().
template <class T, class Product, class Each, class After>
void for_each_chunk(const HeadRows<T>& head, const RowStatistic<T>& statistic, AlignedVector<T>& logits,
                    Each&& each, After&& after) {
  const std::ptrdiff_t rows = head.hidden.rows, vocab = head.weight.rows;
  const std::ptrdiff_t chunk = std::min(head_chunk, rows);
  const auto size = static_cast<std::size_t>(chunk * vocab * (statistic.compares() ? 2 : 1));
  if (logits.size() < size) logits.resize(size);
  const auto multiply = [&](const HeadRows<T>& h, std::ptrdiff_t begin, std::ptrdiff_t n, T* out) {
    Product::template gemm<T>(false, true, n, vocab, h.weight.columns, T(1), h.hidden.row(begin),
                              h.hidden.stride, h.weight.data, h.weight.stride, T(0), out, vocab);
  };
  for (std::ptrdiff_t begin = 0; begin < rows; begin += chunk) {
    const std::ptrdiff_t n = std::min(chunk, rows - begin);
    T* const z = logits.data();
    T* const q = statistic.compares() ? z + chunk * vocab : nullptr;
    multiply(head, begin, n, z);
    if (q) multiply(statistic.reference, begin, n, q);
    parallel_for(n, [&](std::ptrdiff_t i) {
      each(static_cast<std::size_t>(begin + i), z + i * vocab, q ? q + i * vocab : nullptr);
    });
    after(begin, n);
  }
}

}  // namespace lm_head_detail

// logps (M) = log softmax(hidden W^T)[target] for hidden (M, C), W (V, C), targets (M); log_sum_exp (M) is
// kept for the backward, as is statistics (M), which is empty when none is asked for. `logits` is workspace,
// grown to (min(M, head_chunk), V), twice that when the statistic compares with a reference.
template <class T, class Product = DefaultProduct>
void lm_head_forward(MatrixView<const T> hidden, MatrixView<const T> weight,
                     std::span<const std::int32_t> targets, std::span<T> logps, std::span<T> log_sum_exp,
                     AlignedVector<T>& logits, const RowStatistic<T>& statistic = {},
                     std::span<T> statistics = {}) {
  const int vocab = static_cast<int>(weight.rows);
  const CpuTeam team;
  lm_head_detail::for_each_chunk<T, Product>(
      {hidden, weight}, statistic, logits,
      [&](std::size_t row, const T* z, const T* q) {
        const T sum = log_sum_exp_row(team, z, vocab);
        log_sum_exp[row] = sum;
        logps[row] = z[targets[row]] - sum;
        if (q) statistics[row] = divergence_row(team, q, log_sum_exp_row(team, q, vocab), z, sum, vocab);
        if (statistic.kind == Statistic::collision_logp)
          statistics[row] = collision_logp_row(team, z, sum, vocab);
      },
      [](std::ptrdiff_t, std::ptrdiff_t) {});
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
  const std::ptrdiff_t vocab = weight.rows, width = hidden.columns;
  const int n_vocab = static_cast<int>(vocab);
  const CpuTeam team;
  lm_head_detail::for_each_chunk<T, Product>(
      {hidden, weight}, statistic, logits,
      [&](std::size_t row, T* z, const T* q) {
        if (q) {
          divergence_gradient_row(team, q, log_sum_exp_row(team, q, n_vocab), z, log_sum_exp[row], n_vocab,
                                  targets[row], dlogps[row], dstatistics[row], z);
        } else if (statistic.kind == Statistic::collision_logp) {
          collision_gradient_row(team, z, log_sum_exp[row], n_vocab, targets[row], dlogps[row],
                                 statistics[row], dstatistics[row], z);
        } else {
          log_softmax_gradient_row(team, z, n_vocab, log_sum_exp[row], targets[row], dlogps[row], z);
        }
      },
      [&](std::ptrdiff_t begin, std::ptrdiff_t n) {
        Product::template gemm<T>(false, false, n, width, vocab, T(1), logits.data(), vocab, weight.data,
                                  weight.stride, T(0), dhidden.row(begin), dhidden.stride);
        if (dweight.data == nullptr) return;
        Product::template gemm<T>(true, false, vocab, width, n, T(1), logits.data(), vocab, hidden.row(begin),
                                  hidden.stride, T(1), dweight.data, dweight.stride);
      });
}

}  // namespace solopo::kernels
