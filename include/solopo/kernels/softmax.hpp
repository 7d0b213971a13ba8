// Softmax over one row of logits, always through the log-sum-exp so that large logits stay finite.
#pragma once

#include <cmath>
#include <limits>

#include "solopo/core/config.hpp"
#include "solopo/kernels/exp.hpp"

namespace solopo::kernels {

// log(sum exp(z)) of a row z (n), n >= 1, all z finite.
template <class Team, class T>
SOLOPO_HD T log_sum_exp_row(const Team& team, const T* z, int n) {
  const T top = team.template max<T>(n, z[0], [&](int i) { return z[i]; });
  return top + std::log(team.template sum<T>(n, [&](int i) { return fast_exp(z[i] - top); }));
}

// sum exp(z) of the logits seen so far as sum * exp(top), top the largest of them.
template <class T>
struct ExpSum {
  T top = std::numeric_limits<T>::lowest(), sum = T(0);
  [[nodiscard]] T log() const noexcept { return top + std::log(sum); }
};

// Takes n more logits into the sum. Returns what sums under the old top are to be multiplied by.
template <class Team, class T>
T add_exp_row(const Team& team, const T* z, int n, ExpSum<T>& s) {
  const T top = team.template max<T>(n, s.top, [&](int i) { return z[i]; });
  const T shrink = s.sum == T(0) ? T(0) : fast_exp(s.top - top);
  s.sum = s.sum * shrink + team.template sum<T>(n, [&](int i) { return fast_exp(z[i] - top); });
  s.top = top;
  return shrink;
}

// sum exp(2 (z - top)), for log(sum softmax(z)^2) = log of it + 2 (top - log_sum_exp).
template <class Team, class T>
T squares_row(const Team& team, const T* z, T top, int n) {
  return team.template sum<T>(n, [&](int i) { return fast_exp(T(2) * (z[i] - top)); });
}

// sum exp(q - top) (q - z), for KL(softmax(q) || softmax(z)) = it / sum exp(q - top) - the log-sum-exps'
// difference; exactly 0 for equal rows.
template <class Team, class T>
T cross_row(const Team& team, const T* q, T top, const T* z, int n) {
  return team.template sum<T>(n, [&](int i) { return fast_exp(q[i] - top) * (q[i] - z[i]); });
}

// log(sum softmax(z)^2) of a row z (n) with that log-sum-exp, in [-log n, 0].
template <class Team, class T>
SOLOPO_HD T collision_logp_row(const Team& team, const T* z, T log_sum_exp, int n) {
  return std::log(team.template sum<T>(n, [&](int i) { return fast_exp(T(2) * (z[i] - log_sum_exp)); }));
}

// dz (n) = coefficient * (onehot(target) - softmax(z)), the gradient of coefficient * log softmax(z)[target].
// dz may be z on a CPU. z may be a part of a row: a target outside [0, n) is in another part.
template <class Team, class T, class D>
SOLOPO_HD void log_softmax_gradient_row(const Team& team, const T* z, int n, T log_sum_exp, int target,
                                        T coefficient, D* dz) {
  const bool here = target >= 0 && target < n;
  const T at_target = here ? coefficient * (T(1) - fast_exp(z[target] - log_sum_exp)) : T(0);
  team.each(n, [&](int i) { dz[i] = -coefficient * fast_exp(z[i] - log_sum_exp); });
  team.once([&] {
    if (here) dz[target] = at_target;
  });
}

// The same plus by_collision times the gradient of collision_logp_row, whose value is `collision_logp`.
template <class Team, class T, class D>
SOLOPO_HD void collision_gradient_row(const Team& team, const T* z, T log_sum_exp, int n, int target,
                                      T coefficient, T collision_logp, T by_collision, D* dz) {
  const T scale = T(2) * by_collision * std::exp(-collision_logp);
  const T share = coefficient + T(2) * by_collision;
  const auto other = [&](T logit) {
    const T p = fast_exp(logit - log_sum_exp);
    return p * (scale * p - share);
  };
  const bool here = target >= 0 && target < n;
  const T at_target = here ? coefficient + other(z[target]) : T(0);
  team.each(n, [&](int i) { dz[i] = other(z[i]); });
  team.once([&] {
    if (here) dz[target] = at_target;
  });
}

// The same as log_softmax_gradient_row plus by_divergence times the gradient of KL(softmax(q) || softmax(z)).
template <class Team, class T, class D>
SOLOPO_HD void divergence_gradient_row(const Team& team, const T* q, T q_log_sum_exp, const T* z,
                                       T log_sum_exp, int n, int target, T coefficient, T by_divergence,
                                       D* dz) {
  const T share = by_divergence - coefficient;
  const auto other = [&](int i) {
    return share * fast_exp(z[i] - log_sum_exp) - by_divergence * fast_exp(q[i] - q_log_sum_exp);
  };
  const bool here = target >= 0 && target < n;
  const T at_target = here ? coefficient + other(target) : T(0);
  team.each(n, [&](int i) { dz[i] = other(i); });
  team.once([&] {
    if (here) dz[target] = at_target;
  });
}

}  // namespace solopo::kernels
