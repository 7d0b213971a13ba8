// Log-probabilities of given tokens through a language-model head, without the (rows, vocabulary) array:
// logits exist for a chunk of rows at a time and are computed again in the backward.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"
#include "solopo/kernels/softmax.hpp"
#include "solopo/kernels/team.hpp"

namespace solopo::kernels {

inline constexpr std::ptrdiff_t head_chunk = 64;  // rows of logits held at once

// logps (M) = log softmax(hidden W^T)[target] for hidden (M, C), W (V, C), targets (M); log_sum_exp (M) is
// kept for the backward. `logits` is workspace, grown to (min(M, head_chunk), V).
template <class T, class Product = DefaultProduct>
void lm_head_forward(MatrixView<const T> hidden, MatrixView<const T> weight,
                     std::span<const std::int32_t> targets, std::span<T> logps, std::span<T> log_sum_exp,
                     AlignedVector<T>& logits) {
  const std::ptrdiff_t rows = hidden.rows, vocab = weight.rows, width = hidden.columns;
  for (std::ptrdiff_t begin = 0; begin < rows; begin += head_chunk) {
    const std::ptrdiff_t n = std::min(head_chunk, rows - begin);
    if (logits.size() < static_cast<std::size_t>(n * vocab))
      logits.resize(static_cast<std::size_t>(n * vocab));
    Product::template gemm<T>(false, true, n, vocab, width, T(1), hidden.row(begin), hidden.stride,
                              weight.data, weight.stride, T(0), logits.data(), vocab);
    parallel_for(n, [&](std::ptrdiff_t i) {
      const T* z = logits.data() + i * vocab;
      const auto row = static_cast<std::size_t>(begin + i);
      log_sum_exp[row] = log_sum_exp_row(CpuTeam{}, z, static_cast<int>(vocab));
      logps[row] = z[targets[row]] - log_sum_exp[row];
    });
  }
}

// Given d loss / d logps (M): writes dhidden (M, C) and adds into dweight (V, C).
template <class T, class Product = DefaultProduct>
void lm_head_backward(MatrixView<const T> hidden, MatrixView<const T> weight,
                      std::span<const std::int32_t> targets, std::span<const T> dlogps,
                      std::span<const T> log_sum_exp, MatrixView<T> dhidden, MatrixView<T> dweight,
                      AlignedVector<T>& logits) {
  const std::ptrdiff_t rows = hidden.rows, vocab = weight.rows, width = hidden.columns;
  for (std::ptrdiff_t begin = 0; begin < rows; begin += head_chunk) {
    const std::ptrdiff_t n = std::min(head_chunk, rows - begin);
    if (logits.size() < static_cast<std::size_t>(n * vocab))
      logits.resize(static_cast<std::size_t>(n * vocab));
    Product::template gemm<T>(false, true, n, vocab, width, T(1), hidden.row(begin), hidden.stride,
                              weight.data, weight.stride, T(0), logits.data(), vocab);
    parallel_for(n, [&](std::ptrdiff_t i) {
      const auto row = static_cast<std::size_t>(begin + i);
      log_softmax_gradient_row(CpuTeam{}, logits.data() + i * vocab, static_cast<int>(vocab),
                               log_sum_exp[row], targets[row], dlogps[row]);
    });
    Product::template gemm<T>(false, false, n, width, vocab, T(1), logits.data(), vocab, weight.data,
                              weight.stride, T(0), dhidden.row(begin), dhidden.stride);
    Product::template gemm<T>(true, false, vocab, width, n, T(1), logits.data(), vocab, hidden.row(begin),
                              hidden.stride, T(1), dweight.data, dweight.stride);
  }
}

}  // namespace solopo::kernels
