// The losses of many pairs and nothing else, at the speed of the memory they lie in: batch_loss() without the
// mean, the metrics and the look at every number.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>

#include "solopo/backends/batch_loss.hpp"
#include "solopo/backends/pair_functor.hpp"

#if defined(__clang__)
// clang warns of a loop under its pragma that it does not vectorise; at -O1 that is each.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

namespace solopo {

// A batch vector whose numbers follow each other in memory: std::vector, std::span, Eigen vectors and their
// Maps with unit stride, xt::xtensor.
template <class V>
concept ContiguousVector = BatchVector<V> && requires(const V& v) {
  { Backend<V>::data(v) } -> std::same_as<const ScalarOf<V>*>;
};

// Where the results go, (B) each. Those of responses that the objective does not need are not touched and may
// be empty.
template <std::floating_point T>
struct PairLossSpans {
  std::span<T> loss{}, chosen{}, rejected{}, chosen_long{}, rejected_long{}, third{};
  std::array<std::span<T>, role_count> by_statistic{};  // in the order of response_roles
};

namespace batch_detail {

template <ContiguousVector V>
PairArrays<ScalarOf<V>> pointers_of(const PairBatch<V>& b) {
  const auto role = [](const ResponseBatch<V>& y) {
    return ResponseArrays<ScalarOf<V>>{Backend<V>::data(y.logp), Backend<V>::data(y.ref_logp),
                                       Backend<V>::data(y.length), Backend<V>::data(y.statistic),
                                       Backend<V>::data(y.ref_statistic)};
  };
  return {role(b.chosen),
          role(b.rejected),
          role(b.chosen_long),
          role(b.rejected_long),
          role(b.third),
          Backend<V>::data(b.score_chosen),
          Backend<V>::data(b.score_rejected),
          Backend<V>::data(b.label)};
}

template <class T>
void check_space(std::span<T> out, const std::string& name, std::size_t pairs) {
  if (out.size() == pairs) return;
  throw ArgumentError(name, "has room for " + std::to_string(out.size()) + " results where the batch has " +
                                std::to_string(pairs) + " pairs");
}

// Of the chosen responses, summed in 8 lanes; lengths are whole numbers, whose sum no order changes.
template <class T>
T mean_of(const T* lengths, std::size_t n) noexcept {
  constexpr std::size_t lanes = 8;
  double sums[lanes] = {}, rest = 0;
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) sums[l] += static_cast<double>(lengths[i + l]);
  }
  for (; i < n; ++i) rest += static_cast<double>(lengths[i]);
  for (const double sum : sums) rest += sum;
  return static_cast<T>(rest / static_cast<double>(n));
}

// Pair after pair; no result changes an input, which the compiler could not know.
template <class O, class T>
[[gnu::flatten]] void each_pair(const PairFunctor<O, T>& pair, std::size_t pairs) noexcept {
#if defined(__clang__)
#pragma clang loop vectorize(assume_safety)
#elif defined(__GNUC__)
#pragma GCC ivdep
#endif
  for (std::size_t i = 0; i < pairs; ++i) pair(i);
}
}  // namespace batch_detail

// Writes the loss of every pair of `batch`, and its derivative by each response's log-probability times
// `scale` (1 / B for the derivatives of the batch's mean), to `out`. Results must not overlap the batch.
// Reads each number once and looks at none: what is not finite goes through the objective like any number, a
// length below 1 too; batch_loss() refuses them. Throws ArgumentError for an array of another length than
// chosen.logp.
template <ElementwiseObjective O, ContiguousVector V>
void pair_losses(const O& objective, const PairBatch<V>& batch, const PairLossSpans<ScalarOf<V>>& out,
                 ScalarOf<V> scale = 1) {
  using T = ScalarOf<V>;
  const std::size_t pairs = batch_detail::check_sizes(batch, O::needs);
  PairArrays<T> in = batch_detail::pointers_of(batch);
  T length = 0;
  if constexpr (has(O::needs, Needs::mean_length)) length = batch_detail::mean_of(in.chosen.length, pairs);
  in.mean_length = &length;
  batch_detail::check_space(out.loss, "out.loss", pairs);
  const std::span<T> spaces[] = {out.chosen, out.rejected, out.chosen_long, out.rejected_long, out.third};
  PairLossArrays<T> to{out.loss.data(),        out.chosen.data(),        out.rejected.data(),
                       out.chosen_long.data(), out.rejected_long.data(), out.third.data()};
  for (unsigned r = 0; r < role_count; ++r) {
    const std::string name = response_roles[r].name;
    if (has(O::needs, response_roles[r].response)) batch_detail::check_space(spaces[r], "out." + name, pairs);
    if (!has(O::needs, response_roles[r].response | Needs::statistic)) continue;
    batch_detail::check_space(out.by_statistic[r], "out.by_statistic of " + name, pairs);
    to.by_statistic[r] = out.by_statistic[r].data();
  }
  batch_detail::each_pair(PairFunctor<O, T>{objective, in, to, scale}, pairs);
}

}  // namespace solopo

#if defined(__clang__)
#pragma clang diagnostic pop
#endif
