// The rewards of f-DPO: another divergence than the reverse Kullback-Leibler one keeps the policy near its
// reference.
#pragma once

#include <cmath>

#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/core/option.hpp"

namespace solopo {

enum class Divergence { reverse_kl, forward_kl, js, alpha };
inline constexpr const char* divergence_names[] = {"reverse_kl", "forward_kl", "js", "alpha"};

// g(x) of a log-ratio x = log pi - log ref; f'(pi / ref) of the divergence's generator f up to a constant.
// arXiv 2309.16240. Exponentials go on as tangents past 30.
//   reverse_kl  x
//   forward_kl  1 - e^-x
//   js          ln 2 + ln sigmoid(x)
//   alpha       (e^((a - 1) x) - 1) / (a - 1), reverse_kl at a = 1
struct FDivergence {
  Divergence kind = Divergence::reverse_kl;
  float a = 0.5f;  // of alpha

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("divergence", self.kind, divergence_names);
    visit("divergence_alpha", self.a, any_number);
  }

  template <class T>
  SOLOPO_HD T value(T x) const noexcept {
    switch (kind) {
      case Divergence::forward_kl:
        return -expm1_or_tangent(-x);
      case Divergence::js:
        return T(0.69314718055994530942) - softplus(-x);
      case Divergence::alpha:
        if (a != 1.0f) return expm1_or_tangent((T(a) - T(1)) * x) / (T(a) - T(1));
        break;
      case Divergence::reverse_kl:
        break;
    }
    return x;
  }
  template <class T>
  SOLOPO_HD T slope(T x) const noexcept {
    switch (kind) {
      case Divergence::forward_kl:
        return expm1_or_tangent_slope(-x);
      case Divergence::js:
        return sigmoid(-x);
      case Divergence::alpha:
        if (a != 1.0f) return expm1_or_tangent_slope((T(a) - T(1)) * x);
        break;
      case Divergence::reverse_kl:
        break;
    }
    return T(1);
  }
};

}  // namespace solopo

namespace solopo::rewards {

// A reward on log-ratios, LogRatio or MeanLogRatio, with g(log-ratio) in place of the log-ratio.
template <ImplicitReward R>
requires(R::reads_reference) struct Diverged {
  R inner{};
  FDivergence divergence{};

  static constexpr bool reads_reference = true;

  template <class T>
  SOLOPO_HD T value(const Response<T>& y) const noexcept {
    return inner.value(Response<T>{divergence.value(y.logp - y.ref_logp), T(0), y.length});
  }
  template <class T>
  SOLOPO_HD T slope(const Response<T>& y) const noexcept {
    const T x = y.logp - y.ref_logp;
    return inner.slope(Response<T>{divergence.value(x), T(0), y.length}) * divergence.slope(x);
  }
};

}  // namespace solopo::rewards
