// What every preference objective has to pass.
#pragma once

#include "catch.hpp"
#include "rule_checks.hpp"

namespace rule_checks {

// The gradient equals central differences and dual numbers on random pairs away from kinks, and a wrong sign
// is noticed by both checks.
template <class O>
void check_gradient(const O& objective) {
  int checked = 0, noticed = 0;
  for (const Pair<double>& p : random_pairs(120)) {
    if (near_kink(objective, p)) continue;
    ++checked;
    CHECK(difference_error(objective, p) <= 1e-6);
    CHECK(dual_error(objective, p) <= 1e-9);
    noticed +=
        difference_error(WrongSign<O>{objective}, p) > 0.1 && dual_error(WrongSign<O>{objective}, p) > 0.1;
  }
  CHECK(checked >= 40);
  CHECK(noticed > 0);
}

// needs is honest: nothing outside it is read, and everything in it matters for some pair.
template <class O>
void check_needs(const O& objective, Needs needs) {
  const auto pairs = random_pairs(60, 2);
  for (const Pair<double>& p : pairs) CHECK(same(objective(p), objective(poisoned(p, needs))));
  for (const Needs bit : bits_of_needs()) {
    bool matters = false;
    for (const Pair<double>& p : pairs) matters = matters || !same(objective(p), objective(changed(p, bit)));
    INFO("bit " << static_cast<unsigned>(bit));
    CHECK(matters == has(needs, bit));
  }
}

// Float and double agree to float's rounding, loss and gradient, relative to the larger of 1 and the value.
template <class O>
void check_float(const O& objective, double tolerance = 2e-5) {
  for (const Pair<double>& wide : random_pairs(60, 3)) {
    const Pair<float> p = converted<float>(wide);
    if (near_kink(objective, wide, 1e-4)) continue;
    const PairLoss<float> narrow = objective(p);
    const PairLoss<double> exact = objective(converted<double>(p));
    CHECK(relative_error(narrow.loss, exact.loss, 1) <= tolerance);
    for (unsigned r = 0; r < role_count; ++r) {
      CHECK(relative_error(narrow.*role_of_loss<float>[r], exact.*role_of_loss<double>[r], 1) <= tolerance);
      CHECK(relative_error(narrow.by_statistic[r], exact.by_statistic[r], 1) <= tolerance);
    }
  }
}

template <class O>
void check_objective(const O& objective) {
  check_gradient(objective);
  check_needs(objective, O::needs);
  check_float(objective);
}

// A pair whose numbers are easy to follow by hand.
template <class T>
Pair<T> simple_pair() {
  return {.chosen = {.logp = T(-12), .ref_logp = T(-13), .length = T(8)},
          .rejected = {.logp = T(-20), .ref_logp = T(-18), .length = T(10)},
          .chosen_long = {.logp = T(-16), .ref_logp = T(-15), .length = T(8)},
          .rejected_long = {.logp = T(-22), .ref_logp = T(-21), .length = T(10)},
          .third = {.logp = T(-6), .ref_logp = T(-8), .length = T(4)},
          .score_chosen = T(7),
          .score_rejected = T(5),
          .label = T(1),
          .mean_length = T(6)};
}

// All responses, under both prompts, the same.
template <class T>
Pair<T> identical_pair() {
  const Response<T> y{T(-12), T(-13), T(8)};
  return {y, y, y, y, y};
}

// Whether loss and derivatives are finite.
template <class T>
bool finite(const PairLoss<T>& g) {
  bool all = std::isfinite(g.loss);
  for (const auto role : role_of_loss<T>) all = all && std::isfinite(g.*role);
  for (const T x : g.by_statistic) all = all && std::isfinite(x);
  return all;
}

}  // namespace rule_checks
