// Softmax over one row of logits, always through the log-sum-exp so that large logits stay finite.
#pragma once

#include <cmath>

#include "solopo/core/config.hpp"
#include "solopo/kernels/exp.hpp"

namespace solopo::kernels {

// log(sum exp(z)) of a row z (n), n >= 1, all z finite.
template <class Team, class T>
SOLOPO_HD T log_sum_exp_row(const Team& team, const T* z, int n) {
  const T top = team.template max<T>(n, z[0], [&](int i) { return z[i]; });
  return top + std::log(team.template sum<T>(n, [&](int i) { return fast_exp(z[i] - top); }));
}

// log(sum softmax(z)^2) of a row z (n) with that log-sum-exp, in [-log n, 0].
template <class Team, class T>
SOLOPO_HD T collision_logp_row(const Team& team, const T* z, T log_sum_exp, int n) {
  return std::log(team.template sum<T>(n, [&](int i) { return fast_exp(T(2) * (z[i] - log_sum_exp)); }));
}

// KL(softmax(q) || softmax(z)) of two rows (n) with their log-sum-exps; exactly 0 for equal rows.
template <class Team, class T>
SOLOPO_HD T divergence_row(const Team& team, const T* q, T q_log_sum_exp, const T* z, T log_sum_exp, int n) {
  return team.template sum<T>(n, [&](int i) {
    const T log_q = q[i] - q_log_sum_exp;
    return fast_exp(log_q) * (log_q - (z[i] - log_sum_exp));
  });
}

// In place: z (n) becomes coefficient * (onehot(target) - softmax(z)), the gradient of
// coefficient * log softmax(z)[target].
template <class Team, class T>
SOLOPO_HD void log_softmax_gradient_row(const Team& team, T* z, int n, T log_sum_exp, int target,
                                        T coefficient) {
  team.each(n, [&](int i) { z[i] = -coefficient * fast_exp(z[i] - log_sum_exp); });
  z[target] += coefficient;
}

// The same plus by_collision times the gradient of collision_logp_row, whose value is `collision_logp`.
template <class Team, class T>
SOLOPO_HD void collision_gradient_row(const Team& team, T* z, T log_sum_exp, int n, int target, T coefficient,
                                      T collision_logp, T by_collision) {
  const T scale = T(2) * by_collision * std::exp(-collision_logp);
  const T share = coefficient + T(2) * by_collision;
  team.each(n, [&](int i) {
    const T p = fast_exp(z[i] - log_sum_exp);
    z[i] = p * (scale * p - share);
  });
  z[target] += coefficient;
}

// The same as log_softmax_gradient_row plus by_divergence times the gradient of divergence_row by z.
template <class Team, class T>
SOLOPO_HD void divergence_gradient_row(const Team& team, const T* q, T q_log_sum_exp, T* z, T log_sum_exp,
                                       int n, int target, T coefficient, T by_divergence) {
  const T share = by_divergence - coefficient;
  team.each(n, [&](int i) {
    z[i] = share * fast_exp(z[i] - log_sum_exp) - by_divergence * fast_exp(q[i] - q_log_sum_exp);
  });
  z[target] += coefficient;
}

}  // namespace solopo::kernels
