// A batch of pairs through an objective: log-probabilities in, their mean loss and its derivatives out.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "solopo/backends/batch_metrics.hpp"
#include "solopo/backends/concepts.hpp"
#include "solopo/backends/span.hpp"
#include "solopo/core/concepts.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/core/response.hpp"

namespace solopo {

// One role of a batch of B pairs, each vector of length B (see Response for units).
template <class V>
struct ResponseBatch {
  V logp{}, ref_logp{}, length{};  // (B)
  V statistic{}, ref_statistic{};  // (B)
};

// Struct of arrays. Vectors that the objective does not need stay empty; they are never read.
template <class V>
struct PairBatch {
  ResponseBatch<V> chosen{}, rejected{}, chosen_long{}, rejected_long{}, third{};
  V score_chosen{}, score_rejected{}, label{};  // (B) see Pair
};

// V is the backend's owning vector.
template <class V>
struct BatchLoss {
  ScalarOf<V> loss{};  // mean over the pairs of the optimiser batch
  V chosen{}, rejected{}, chosen_long{}, rejected_long{},
      third{};                               // (B) dloss/dlogp; empty for responses not needed
  std::array<V, role_count> by_statistic{};  // (B) each, dloss/dstatistic; empty where none is needed
  BatchMetrics metrics{};                    // means over the pairs of this batch
};

// An objective known when compiling or one chosen when the program runs (AnyObjective).
template <class O, class T>
concept BatchObjective = requires(const O& o, const Pair<double>& q, std::span<const Pair<T>> pairs,
                                  const StateOf<O>& state, std::span<PairLoss<T>> losses) {
  { needs_of(o) } -> std::same_as<Needs>;
  { pair_metrics(o, q) } -> std::same_as<PairMetrics>;
  requires Objective<O> || requires { o.losses(pairs, state, losses); };
};

namespace batch_detail {

template <class V>
inline constexpr ResponseBatch<V> PairBatch<V>::*role_of_batch[role_count] = {
    &PairBatch<V>::chosen, &PairBatch<V>::rejected, &PairBatch<V>::chosen_long, &PairBatch<V>::rejected_long,
    &PairBatch<V>::third};
template <class V>
inline constexpr V BatchLoss<V>::*role_of_gradient[role_count] = {
    &BatchLoss<V>::chosen, &BatchLoss<V>::rejected, &BatchLoss<V>::chosen_long, &BatchLoss<V>::rejected_long,
    &BatchLoss<V>::third};

template <class V>
void check_size(const V& v, const std::string& name, std::size_t pairs) {
  const std::size_t n = Backend<V>::size(v);
  if (n == pairs) return;
  throw ArgumentError(name, "has " + std::to_string(n) + " entries where the batch has " +
                                std::to_string(pairs) + " pairs" +
                                (n == 0 ? "; the objective needs it" : ""));
}

template <class V>
void check_vector(const V& v, const std::string& name, std::size_t pairs) {
  check_size(v, name, pairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    if (!is_finite(Backend<V>::get(v, i))) {
      throw ArgumentError(name, i, "is not finite; a log-probability or length must be a number");
    }
  }
}

template <class V>
void check_lengths(const V& v, const std::string& name, std::size_t pairs) {
  check_vector(v, name, pairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    if (Backend<V>::get(v, i) < 1) {
      throw ArgumentError(name, i, "an empty response; it must have at least one token");
    }
  }
}

// The number of pairs. check(vector, name, pairs) and check_length(...) see each vector that is needed.
// Throws ArgumentError for a batch without pairs.
template <class V, class Check, class CheckLength>
std::size_t check_needed(const PairBatch<V>& batch, Needs needs, Check&& check, CheckLength&& check_length) {
  std::size_t pairs = 0;
  for (unsigned r = 0; r < role_count && pairs == 0; ++r) {
    if (has(needs, response_roles[r].response)) pairs = Backend<V>::size((batch.*role_of_batch<V>[r]).logp);
  }
  if (pairs == 0) throw ArgumentError("batch", "holds no pairs");
  for (unsigned r = 0; r < role_count; ++r) {
    const ResponseBatch<V>& role = batch.*role_of_batch<V>[r];
    const std::string name = response_roles[r].name;
    if (has(needs, response_roles[r].response)) {
      check(role.logp, name + ".logp", pairs);
      check_length(role.length, name + ".length", pairs);
    }
    if (has(needs, response_roles[r].reference)) check(role.ref_logp, name + ".ref_logp", pairs);
    if (has(needs, response_roles[r].response | Needs::statistic))
      check(role.statistic, name + ".statistic", pairs);
    if (has(needs, response_roles[r].reference | Needs::ref_statistic))
      check(role.ref_statistic, name + ".ref_statistic", pairs);
  }
  if (has(needs, Needs::scores)) {
    check(batch.score_chosen, "score_chosen", pairs);
    check(batch.score_rejected, "score_rejected", pairs);
  }
  if (has(needs, Needs::label)) check(batch.label, "label", pairs);
  return pairs;
}

// The number of pairs. Throws ArgumentError naming argument and index.
template <class V>
std::size_t check_batch(const PairBatch<V>& batch, Needs needs) {
  return check_needed(batch, needs, check_vector<V>, check_lengths<V>);
}

// The same, without a look at the values.
template <class V>
std::size_t check_sizes(const PairBatch<V>& batch, Needs needs) {
  return check_needed(batch, needs, check_size<V>, check_size<V>);
}

// Of the chosen responses; 0 when the objective does not ask for it.
template <class V>
ScalarOf<V> mean_length(const PairBatch<V>& batch, Needs needs, std::size_t pairs) {
  if (!has(needs, Needs::mean_length)) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < pairs; ++i) sum += static_cast<double>(Backend<V>::get(batch.chosen.length, i));
  return static_cast<ScalarOf<V>>(sum / static_cast<double>(pairs));
}

// The i-th pair; fields that are not needed stay 0.
template <class V>
Pair<ScalarOf<V>> gather(const PairBatch<V>& batch, Needs needs, ScalarOf<V> mean_length, std::size_t i) {
  using T = ScalarOf<V>;
  Pair<T> p;
  for (unsigned r = 0; r < role_count; ++r) {
    const ResponseRole& role = response_roles[r];
    const ResponseBatch<V>& from = batch.*role_of_batch<V>[r];
    Response<T>& to = p.*role_of_pair<T>[r];
    if (has(needs, role.response)) {
      to.logp = Backend<V>::get(from.logp, i);
      to.length = Backend<V>::get(from.length, i);
    }
    if (has(needs, role.reference)) to.ref_logp = Backend<V>::get(from.ref_logp, i);
    if (has(needs, role.response | Needs::statistic)) to.statistic = Backend<V>::get(from.statistic, i);
    if (has(needs, role.reference | Needs::ref_statistic))
      to.ref_statistic = Backend<V>::get(from.ref_statistic, i);
  }
  if (has(needs, Needs::scores)) {
    p.score_chosen = Backend<V>::get(batch.score_chosen, i);
    p.score_rejected = Backend<V>::get(batch.score_rejected, i);
  }
  if (has(needs, Needs::label)) p.label = Backend<V>::get(batch.label, i);
  p.mean_length = mean_length;
  return p;
}

template <class V>
std::vector<Pair<ScalarOf<V>>> gather_all(const PairBatch<V>& batch, Needs needs) {
  const std::size_t pairs = check_batch(batch, needs);
  const ScalarOf<V> length = mean_length(batch, needs, pairs);
  std::vector<Pair<ScalarOf<V>>> out;
  out.reserve(pairs);
  for (std::size_t i = 0; i < pairs; ++i) out.push_back(gather(batch, needs, length, i));
  return out;
}

}  // namespace batch_detail

// The state of an objective that has seen no batch.
template <class O>
[[nodiscard]] StateOf<O> initial_state(const O& objective) {
  if constexpr (requires { objective.initial_state(); }) {
    return objective.initial_state();
  } else {
    return {};
  }
}

// The state after training has seen this batch; give it to batch_loss() of the same batch. Throws as
// batch_loss().
template <class O, class V>
requires(BatchVector<V>&& BatchObjective<O, ScalarOf<V>>)
    [[nodiscard]] StateOf<O> next_state(const O& objective, const PairBatch<V>& batch,
                                        const StateOf<O>& state) {
  if constexpr (requires(std::span<const Pair<ScalarOf<V>>> pairs) { objective.advanced(state, pairs); }) {
    const auto pairs = batch_detail::gather_all(batch, needs_of(objective));
    return objective.advanced(state, std::span<const Pair<ScalarOf<V>>>(pairs));
  } else {
    return state;
  }
}

// The mean loss of a batch, the derivative of that mean by every log-probability, and metrics.
// `state` is what the objective carries from batch to batch, where it does; it is read, not changed.
// `count` is the number of pairs of the whole optimiser batch when this batch is a part of it (gradient
// accumulation): loss and derivatives are divided by it and can be added up. 0: this batch is the whole. An
// objective that couples pairs, and a mean length, see this batch alone.
// Reads only what the objective needs; sums in double, in order.
// Throws ArgumentError naming argument and index: no pairs, a length mismatch, an empty response (length <
// 1), an input that is not finite, a count smaller than the batch.
template <class O, class V>
requires(BatchVector<V>&& BatchObjective<O, ScalarOf<V>>) BatchLoss<OwningOf<V>> batch_loss(
    const O& objective, const PairBatch<V>& batch, const StateOf<O>& state, std::size_t count = 0) {
  using T = ScalarOf<V>;
  using Owning = OwningOf<V>;
  const Needs needs = needs_of(objective);
  const std::size_t pairs = batch_detail::check_batch(batch, needs);
  if (count == 0) count = pairs;
  if (count < pairs) {
    throw ArgumentError("count", std::to_string(count) + " is less than the batch's " +
                                     std::to_string(pairs) + " pairs; it counts the whole optimiser batch");
  }
  BatchLoss<Owning> out;
  for (unsigned r = 0; r < role_count; ++r) {
    if (has(needs, response_roles[r].response))
      out.*batch_detail::role_of_gradient<Owning>[r] = Backend<V>::zeros(pairs);
    if (has(needs, response_roles[r].response | Needs::statistic))
      out.by_statistic[r] = Backend<V>::zeros(pairs);
  }
  const T share = T(1) / static_cast<T>(count);
  double sum = 0;
  const auto take = [&](std::size_t i, const Pair<T>& p, const PairLoss<T>& g) {
    for (unsigned r = 0; r < role_count; ++r) {
      if (has(needs, response_roles[r].response))
        Backend<V>::set(out.*batch_detail::role_of_gradient<Owning>[r], i, g.*role_of_loss<T>[r] * share);
      if (has(needs, response_roles[r].response | Needs::statistic))
        Backend<V>::set(out.by_statistic[r], i, g.by_statistic[r] * share);
    }
    sum += static_cast<double>(g.loss);
    out.metrics.add(static_cast<double>(g.loss), pair_metrics(objective, converted<double>(p)));
  };
  if constexpr (PreferenceObjective<O>) {
    const T length = batch_detail::mean_length(batch, needs, pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
      const Pair<T> p = batch_detail::gather(batch, needs, length, i);
      take(i, p, objective(p));
    }
  } else {
    const std::vector<Pair<T>> all = batch_detail::gather_all(batch, needs);
    std::vector<PairLoss<T>> losses(pairs);
    objective.losses(std::span<const Pair<T>>(all), state, std::span<PairLoss<T>>(losses));
    for (std::size_t i = 0; i < pairs; ++i) take(i, all[i], losses[i]);
  }
  out.loss = static_cast<T>(sum / static_cast<double>(count));
  return out;
}

// The same with the state of an objective that has seen no batch.
template <class O, class V>
requires(BatchVector<V>&& BatchObjective<O, ScalarOf<V>>) BatchLoss<OwningOf<V>> batch_loss(
    const O& objective, const PairBatch<V>& batch, std::size_t count = 0) {
  return batch_loss(objective, batch, initial_state(objective), count);
}

}  // namespace solopo
