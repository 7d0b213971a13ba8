// A batch of pairs through an objective: log-probabilities in, their mean loss and its derivatives out.
#pragma once

#include <string>
#include <utility>

#include "solopo/backends/batch_metrics.hpp"
#include "solopo/backends/concepts.hpp"
#include "solopo/backends/span.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/core/response.hpp"

namespace solopo {

// One role of a batch of B pairs, each vector of length B (see Response for units).
template <class V>
struct ResponseBatch {
  V logp{}, ref_logp{}, length{};  // (B)
};

// Struct of arrays. Vectors that the objective does not need stay empty; they are never read.
template <class V>
struct PairBatch {
  ResponseBatch<V> chosen{}, rejected{}, chosen_long{}, rejected_long{};
};

// V is the backend's owning vector.
template <class V>
struct BatchLoss {
  ScalarOf<V> loss{};                                      // mean over the pairs of the optimiser batch
  V chosen{}, rejected{}, chosen_long{}, rejected_long{};  // (B) dloss/dlogp; empty for responses not needed
  BatchMetrics metrics{};                                  // means over the pairs of this batch
};

// Anything that turns a Pair<T> into a PairLoss<T> and says what it needs: an objective or an AnyObjective.
template <class O, class T>
concept BatchObjective = requires(const O& o, const Pair<T>& p, const Pair<double>& q) {
  { o(p) } -> std::same_as<PairLoss<T>>;
  { needs_of(o) } -> std::same_as<Needs>;
  { pair_metrics(o, q) } -> std::same_as<PairMetrics>;
};

namespace batch_detail {

// One role with its name in error messages and its bits in Needs.
struct Role {
  const char* name;
  Needs response, reference;
};
inline constexpr Role roles[] = {
    {"chosen", Needs::chosen, Needs::ref_chosen},
    {"rejected", Needs::rejected, Needs::ref_rejected},
    {"chosen_long", Needs::chosen_long, Needs::ref_chosen_long},
    {"rejected_long", Needs::rejected_long, Needs::ref_rejected_long},
};

template <class V>
void check_vector(const V& v, const std::string& name, std::size_t pairs) {
  const std::size_t n = Backend<V>::size(v);
  if (n != pairs) {
    throw ArgumentError(name, "has " + std::to_string(n) + " entries where the batch has " +
                                  std::to_string(pairs) + " pairs" +
                                  (n == 0 ? "; the objective needs it" : ""));
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!is_finite(Backend<V>::get(v, i))) {
      throw ArgumentError(name, i, "is not finite; a log-probability or length must be a number");
    }
  }
}

template <class V>
void check_role(const ResponseBatch<V>& batch, const Role& role, Needs needs, std::size_t pairs) {
  if (has(needs, role.response)) {
    const std::string name = role.name;
    check_vector(batch.logp, name + ".logp", pairs);
    check_vector(batch.length, name + ".length", pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
      if (Backend<V>::get(batch.length, i) < 1) {
        throw ArgumentError(name + ".length", i, "an empty response; it must have at least one token");
      }
    }
  }
  if (has(needs, role.reference)) check_vector(batch.ref_logp, role.name + std::string(".ref_logp"), pairs);
}

// The i-th response; fields that are not needed stay 0.
template <class V>
Response<ScalarOf<V>> gather(const ResponseBatch<V>& batch, const Role& role, Needs needs, std::size_t i) {
  Response<ScalarOf<V>> y;
  if (has(needs, role.response)) {
    y.logp = Backend<V>::get(batch.logp, i);
    y.length = Backend<V>::get(batch.length, i);
  }
  if (has(needs, role.reference)) y.ref_logp = Backend<V>::get(batch.ref_logp, i);
  return y;
}

template <class T>
Response<double> widened(const Response<T>& y) {
  return {static_cast<double>(y.logp), static_cast<double>(y.ref_logp), static_cast<double>(y.length)};
}

}  // namespace batch_detail

// The mean loss of a batch, the derivative of that mean by every log-probability, and metrics.
// `count` is the number of pairs of the whole optimiser batch when this batch is a part of it (gradient
// accumulation): loss and derivatives are divided by it and can be added up. 0: this batch is the whole.
// Reads only what the objective needs; sums in double, in order.
// Throws ArgumentError naming argument and index: no pairs, a length mismatch, an empty response (length <
// 1), an input that is not finite, a count smaller than the batch.
template <class O, class V>
requires(BatchVector<V>&& BatchObjective<O, ScalarOf<V>>) BatchLoss<OwningOf<V>> batch_loss(
    const O& objective, const PairBatch<V>& batch, std::size_t count = 0) {
  using T = ScalarOf<V>;
  using Owning = OwningOf<V>;
  using batch_detail::roles;

  const Needs needs = needs_of(objective);
  const ResponseBatch<V>* const responses[] = {&batch.chosen, &batch.rejected, &batch.chosen_long,
                                               &batch.rejected_long};
  std::size_t pairs = 0;
  for (std::size_t r = 0; r < 4 && pairs == 0; ++r) {
    if (has(needs, roles[r].response)) pairs = Backend<V>::size(responses[r]->logp);
  }
  if (pairs == 0) throw ArgumentError("batch", "holds no pairs");
  if (count == 0) count = pairs;
  if (count < pairs) {
    throw ArgumentError("count", std::to_string(count) + " is less than the batch's " +
                                     std::to_string(pairs) + " pairs; it counts the whole optimiser batch");
  }
  for (std::size_t r = 0; r < 4; ++r) batch_detail::check_role(*responses[r], roles[r], needs, pairs);

  BatchLoss<Owning> out;
  Owning* const gradients[] = {&out.chosen, &out.rejected, &out.chosen_long, &out.rejected_long};
  for (std::size_t r = 0; r < 4; ++r) {
    if (has(needs, roles[r].response)) *gradients[r] = Backend<V>::zeros(pairs);
  }
  const T share = T(1) / static_cast<T>(count);
  double sum = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    const Pair<T> p{batch_detail::gather(batch.chosen, roles[0], needs, i),
                    batch_detail::gather(batch.rejected, roles[1], needs, i),
                    batch_detail::gather(batch.chosen_long, roles[2], needs, i),
                    batch_detail::gather(batch.rejected_long, roles[3], needs, i)};
    const PairLoss<T> g = objective(p);
    const T derivatives[] = {g.chosen, g.rejected, g.chosen_long, g.rejected_long};
    for (std::size_t r = 0; r < 4; ++r) {
      if (has(needs, roles[r].response)) Backend<V>::set(*gradients[r], i, derivatives[r] * share);
    }
    sum += static_cast<double>(g.loss);
    const Pair<double> wide{batch_detail::widened(p.chosen), batch_detail::widened(p.rejected),
                            batch_detail::widened(p.chosen_long), batch_detail::widened(p.rejected_long)};
    out.metrics.add(static_cast<double>(g.loss), pair_metrics(objective, wide));
  }
  out.loss = static_cast<T>(sum / static_cast<double>(count));
  return out;
}

}  // namespace solopo
