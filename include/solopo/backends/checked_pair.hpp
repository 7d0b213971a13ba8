// One pair of a batch, from arrays to its share of the metrics, with a look at every number first: what a
// kernel runs in each thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "solopo/backends/pair_functor.hpp"
#include "solopo/backends/pair_sums.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/numeric.hpp"

namespace solopo {

// A bad input as one number, so that the least of them is the first bad pair: pair, argument, reason.
// no_fault: there is none.
using Fault = unsigned long long;
inline constexpr Fault no_fault = ~Fault{0};

namespace fault_detail {

enum Reason : unsigned { not_finite = 0, empty = 1 };
inline constexpr const char* fields[] = {".logp", ".length", ".ref_logp", ".statistic", ".ref_statistic"};
inline constexpr const char* others[] = {"score_chosen", "score_rejected", "label"};
inline constexpr unsigned field_count = sizeof fields / sizeof *fields;
inline constexpr unsigned first_other = field_count * role_count;

SOLOPO_HD constexpr Fault fault(std::size_t pair, unsigned argument, Reason reason) noexcept {
  return static_cast<Fault>(pair) << 8 | argument << 1 | reason;
}

template <Needs needs, class T>
SOLOPO_HD Fault of_response(const Response<T>& y, Needs response, Needs reference, std::size_t pair,
                            unsigned role) noexcept {
  const unsigned first = field_count * role;
  if (has(needs, response)) {
    if (!is_finite(y.logp)) return fault(pair, first, not_finite);
    if (!is_finite(y.length)) return fault(pair, first + 1, not_finite);
    if (y.length < T(1)) return fault(pair, first + 1, empty);
  }
  if (has(needs, reference) && !is_finite(y.ref_logp)) return fault(pair, first + 2, not_finite);
  if (has(needs, response | Needs::statistic) && !is_finite(y.statistic))
    return fault(pair, first + 3, not_finite);
  if (has(needs, reference | Needs::ref_statistic) && !is_finite(y.ref_statistic))
    return fault(pair, first + 4, not_finite);
  return no_fault;
}

}  // namespace fault_detail

// The first of the pair's numbers that `needs` names and that is not finite, or a length below 1.
template <Needs needs, class T>
SOLOPO_HD Fault fault_of(const Pair<T>& p, std::size_t pair) noexcept {
  using namespace fault_detail;
  const auto look = [pair](const Response<T>& y, Needs response, Needs reference, unsigned role) {
    return of_response<needs>(y, response, reference, pair, role);
  };
  Fault f = look(p.chosen, Needs::chosen, Needs::ref_chosen, 0);
  if (f == no_fault) f = look(p.rejected, Needs::rejected, Needs::ref_rejected, 1);
  if (f == no_fault) f = look(p.chosen_long, Needs::chosen_long, Needs::ref_chosen_long, 2);
  if (f == no_fault) f = look(p.rejected_long, Needs::rejected_long, Needs::ref_rejected_long, 3);
  if (f == no_fault) f = look(p.third, Needs::third, Needs::ref_third, 4);
  if (f == no_fault && has(needs, Needs::scores)) {
    if (!is_finite(p.score_rejected)) f = fault(pair, first_other + 1, not_finite);
    if (!is_finite(p.score_chosen)) f = fault(pair, first_other, not_finite);
  }
  if (f == no_fault && has(needs, Needs::label) && !is_finite(p.label))
    f = fault(pair, first_other + 2, not_finite);
  return f;
}

// The error that batch_loss() throws for this input, with `more` behind it.
inline ArgumentError error_of(Fault f, const std::string& more = "") {
  using namespace fault_detail;
  const auto argument = static_cast<unsigned>(f >> 1 & 127U);
  const std::string name = argument < first_other ? std::string(response_roles[argument / field_count].name) +
                                                        fields[argument % field_count]
                                                  : others[argument - first_other];
  const std::string reason = (f & 1U) == empty
                                 ? "an empty response; it must have at least one token"
                                 : "is not finite; a log-probability or length must be a number";
  return {name, static_cast<std::size_t>(f >> 8), reason + more};
}

struct CheckedSums {
  PairSums sums;
  Fault fault;
};

// A pair with a bad input gets loss and derivatives 0 and counts nowhere; its fault says what is wrong.
template <ElementwiseObjective O, class T>
SOLOPO_HD CheckedSums checked_pair(const PairFunctor<O, T>& f, std::size_t i) noexcept {
  const Pair<T> p = gathered<O::needs>(f.in, i);
  const Fault fault = fault_of<O::needs>(p, i);
  if (fault != no_fault) {
    scatter<O::needs>(f.out, i, PairLoss<T>{}, f.scale);
    return {PairSums{}, fault};
  }
  const PairLoss<T> g = f.objective(p);
  scatter<O::needs>(f.out, i, g, f.scale);
  return {sums_of(static_cast<double>(g.loss), pair_metrics(f.objective, converted<double>(p))), no_fault};
}

}  // namespace solopo
