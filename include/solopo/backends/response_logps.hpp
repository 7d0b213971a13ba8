// From log-probabilities of tokens to log-probabilities of responses and back, for programs that hold the
// former.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "solopo/backends/concepts.hpp"
#include "solopo/backends/span.hpp"
#include "solopo/core/error.hpp"

namespace solopo {

namespace batch_detail {

// Offsets of R responses: R + 1 numbers that start at 0, do not fall, and end at `tokens`.
inline void check_offsets(std::span<const std::size_t> offsets, std::size_t tokens) {
  if (offsets.empty() || offsets.front() != 0) {
    throw ArgumentError("offsets", 0, "must be 0: the first response starts at the first token");
  }
  for (std::size_t r = 1; r < offsets.size(); ++r) {
    if (offsets[r] < offsets[r - 1]) {
      throw ArgumentError("offsets", r, std::to_string(offsets[r]) + " is below its predecessor");
    }
  }
  if (offsets.back() != tokens) {
    throw ArgumentError("offsets", offsets.size() - 1,
                        "is " + std::to_string(offsets.back()) + " but there are " + std::to_string(tokens) +
                            " tokens; the last offset is their number");
  }
}

}  // namespace batch_detail

// token_logps (N): log-probability of every response token, responses one after another, prompts left out.
// offsets (R + 1): response r owns tokens offsets[r] .. offsets[r + 1] - 1. Returns (R) sums, added in
// double. Throws ArgumentError for offsets that do not start at 0, fall, or do not end at N.
template <BatchVector V>
OwningOf<V> response_logps(const V& token_logps, std::span<const std::size_t> offsets) {
  batch_detail::check_offsets(offsets, Backend<V>::size(token_logps));
  OwningOf<V> out = Backend<V>::zeros(offsets.size() - 1);
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    double sum = 0;
    for (std::size_t t = offsets[r]; t < offsets[r + 1]; ++t) {
      sum += static_cast<double>(Backend<V>::get(token_logps, t));
    }
    Backend<V>::set(out, r, static_cast<ScalarOf<V>>(sum));
  }
  return out;
}

// The adjoint: dlogps (R), a loss's derivative by each response's log-probability, becomes its derivative by
// each token's, (N). Throws ArgumentError when dlogps and offsets do not fit each other.
template <BatchVector V>
OwningOf<V> response_logps_adjoint(const V& dlogps, std::span<const std::size_t> offsets) {
  batch_detail::check_offsets(offsets, offsets.empty() ? 0 : offsets.back());
  if (Backend<V>::size(dlogps) + 1 != offsets.size()) {
    throw ArgumentError("dlogps", "has " + std::to_string(Backend<V>::size(dlogps)) +
                                      " entries where offsets has " + std::to_string(offsets.size() - 1) +
                                      " responses");
  }
  OwningOf<V> out = Backend<V>::zeros(offsets.back());
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    const ScalarOf<V> d = Backend<V>::get(dlogps, r);
    for (std::size_t t = offsets[r]; t < offsets[r + 1]; ++t) Backend<V>::set(out, t, d);
  }
  return out;
}

// The number of tokens of each response, (R), in the vector type of `like`.
template <BatchVector V>
OwningOf<V> response_lengths(const V& like, std::span<const std::size_t> offsets) {
  batch_detail::check_offsets(offsets, Backend<V>::size(like));
  OwningOf<V> out = Backend<V>::zeros(offsets.size() - 1);
  for (std::size_t r = 0; r + 1 < offsets.size(); ++r) {
    Backend<V>::set(out, r, static_cast<ScalarOf<V>>(offsets[r + 1] - offsets[r]));
  }
  return out;
}

}  // namespace solopo
