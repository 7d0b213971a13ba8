// Log-probabilities of responses from a model's last hidden states and its head, and the way back, in any
// tensor library's matrices. The (rows, vocabulary) array of logits never exists.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/backends/matrix.hpp"
#include "solopo/core/error.hpp"
#include "solopo/kernels/head_target.hpp"
#include "solopo/kernels/lm_head.hpp"

namespace solopo {

// What the forward gives, and keeps for the backward.
template <class T>
struct HeadLogps {
  std::vector<T> logps;        // (R) log-probability of each response [nats], summed in double
  std::vector<T> token_logps;  // (M) of each target
  std::vector<T> log_sum_exp;  // (M)
};

namespace lm_head_detail {

inline std::string shape(std::ptrdiff_t rows, std::ptrdiff_t columns) {
  return "(" + std::to_string(rows) + ", " + std::to_string(columns) + ")";
}

template <class T>
void check_shape(const char* name, MatrixView<T> m, std::ptrdiff_t rows, std::ptrdiff_t columns) {
  if (m.rows == rows && m.columns == columns) return;
  throw ArgumentError(name, "has shape " + shape(m.rows, m.columns) + ", expected " + shape(rows, columns));
}

template <class T>
void check(MatrixView<const T> hidden, MatrixView<const T> head, std::span<const HeadTarget> targets,
           std::size_t responses) {
  if (head.columns != hidden.columns) {
    throw ArgumentError("head", "has shape " + shape(head.rows, head.columns) + ", expected (vocabulary, " +
                                    std::to_string(hidden.columns) + "): as many columns as hidden");
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto require = [&](std::int32_t value, std::ptrdiff_t below, const char* field) {
      if (value >= 0 && value < below) return;
      throw ArgumentError(
          "targets", i,
          std::string(field) + " " + std::to_string(value) + " is not in [0, " + std::to_string(below) + ")");
    };
    require(targets[i].row, hidden.rows, "row");
    require(targets[i].token, head.rows, "token");
    require(targets[i].response, static_cast<std::ptrdiff_t>(responses), "response");
  }
}

// The rows of `hidden` that are scored, (M, C).
template <class T>
std::vector<T> scored_rows(MatrixView<const T> hidden, std::span<const HeadTarget> targets) {
  std::vector<T> out;
  out.reserve(targets.size() * static_cast<std::size_t>(hidden.columns));
  for (const HeadTarget& target : targets) {
    const T* row = hidden.row(target.row);
    out.insert(out.end(), row, row + hidden.columns);
  }
  return out;
}

inline std::vector<std::int32_t> tokens_of(std::span<const HeadTarget> targets) {
  std::vector<std::int32_t> out;
  for (const HeadTarget& target : targets) out.push_back(target.token);
  return out;
}

}  // namespace lm_head_detail

// hidden (S, C): the model's normalised output; head (V, C); targets (M): which row predicts which token of
// which of the `responses` R. Holds a tile of logits at a time, of 512 rows and 768 tokens. Throws
// ArgumentError for shapes that do not fit and a target out of range.
template <class Product = kernels::DefaultProduct, BatchMatrix H, BatchMatrix W>
requires std::same_as<MatrixScalar<H>, MatrixScalar<W>> HeadLogps<MatrixScalar<H>> head_logps(
    const H& hidden, const W& head, std::span<const HeadTarget> targets, std::size_t responses) {
  using T = MatrixScalar<H>;
  const auto h = checked_view<const T>("hidden", hidden), w = checked_view<const T>("head", head);
  lm_head_detail::check<T>(h, w, targets, responses);
  const std::vector<T> rows = lm_head_detail::scored_rows(h, targets);
  const std::vector<std::int32_t> tokens = lm_head_detail::tokens_of(targets);
  HeadLogps<T> out{.logps = std::vector<T>(responses, T(0)),
                   .token_logps = std::vector<T>(targets.size()),
                   .log_sum_exp = std::vector<T>(targets.size())};
  kernels::AlignedVector<T> logits;
  kernels::lm_head_forward<T, Product>(
      dense(rows.data(), static_cast<std::ptrdiff_t>(targets.size()), h.columns), w, tokens, out.token_logps,
      out.log_sum_exp, logits);
  std::vector<double> sums(responses);
  for (std::size_t i = 0; i < targets.size(); ++i)
    sums[static_cast<std::size_t>(targets[i].response)] += static_cast<double>(out.token_logps[i]);
  for (std::size_t r = 0; r < responses; ++r) out.logps[r] = static_cast<T>(sums[r]);
  return out;
}

// The adjoint: with dlogps (R) = dloss/dlogp of each response writes dhidden (S, C), 0 in rows that were not
// scored, and adds into dhead (V, C). `forward` is what head_logps() gave for the same arguments; only its
// log_sum_exp need be kept. Throws ArgumentError as that, and for results of another shape.
template <class Product = kernels::DefaultProduct, BatchMatrix H, BatchMatrix W, WritableMatrix DH,
          WritableMatrix DW>
void head_logps_backward(const H& hidden, const W& head, std::span<const HeadTarget> targets,
                         const HeadLogps<MatrixScalar<H>>& forward, std::span<const MatrixScalar<H>> dlogps,
                         DH&& dhidden, DW&& dhead) {
  using T = MatrixScalar<H>;
  const auto h = checked_view<const T>("hidden", hidden), w = checked_view<const T>("head", head);
  const auto dh = checked_view<T>("dhidden", dhidden), dw = checked_view<T>("dhead", dhead);
  if (!forward.logps.empty() && forward.logps.size() != dlogps.size())
    throw ArgumentError("dlogps", "has " + std::to_string(dlogps.size()) + " entries, expected " +
                                      std::to_string(forward.logps.size()) + ": one a response");
  lm_head_detail::check<T>(h, w, targets, dlogps.size());
  lm_head_detail::check_shape("dhidden", dh, h.rows, h.columns);
  lm_head_detail::check_shape("dhead", dw, w.rows, w.columns);
  if (forward.log_sum_exp.size() != targets.size())
    throw ArgumentError("forward", "is of " + std::to_string(forward.log_sum_exp.size()) +
                                       " targets, expected " + std::to_string(targets.size()));
  const std::vector<T> rows = lm_head_detail::scored_rows(h, targets);
  const std::vector<std::int32_t> tokens = lm_head_detail::tokens_of(targets);
  std::vector<T> coefficients, drows(rows.size());
  for (const HeadTarget& target : targets)
    coefficients.push_back(dlogps[static_cast<std::size_t>(target.response)]);
  const auto scored = static_cast<std::ptrdiff_t>(targets.size());
  kernels::AlignedVector<T> logits;
  kernels::lm_head_backward<T, Product>(dense(rows.data(), scored, h.columns), w, tokens, coefficients,
                                        forward.log_sum_exp, dense(drows.data(), scored, h.columns), dw,
                                        logits);
  for (std::ptrdiff_t r = 0; r < dh.rows; ++r) std::fill_n(dh.row(r), dh.columns, T(0));
  for (std::ptrdiff_t i = 0; i < scored; ++i) {
    T* to = dh.row(targets[static_cast<std::size_t>(i)].row);
    const T* from = drows.data() + i * h.columns;
    for (std::ptrdiff_t c = 0; c < h.columns; ++c) to[c] += from[c];
  }
}

}  // namespace solopo
