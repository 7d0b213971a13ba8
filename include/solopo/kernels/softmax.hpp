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

// In place: z (n) becomes coefficient * (onehot(target) - softmax(z)), the gradient of
// coefficient * log softmax(z)[target].
template <class Team, class T>
SOLOPO_HD void log_softmax_gradient_row(const Team& team, T* z, int n, T log_sum_exp, int target,
                                        T coefficient) {
  team.each(n, [&](int i) { z[i] = -coefficient * fast_exp(z[i] - log_sum_exp); });
  z[target] += coefficient;
}

}  // namespace solopo::kernels
