// The reward of LD-DPO.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo {

// Which log-probabilities have the tokens past the shorter length weighted down.
enum class Desensitise { both, policy };
inline constexpr const char* desensitise_names[] = {"both", "policy"};

}  // namespace solopo

namespace solopo::rewards {

// r = beta (ld(log pi) - ld(log ref)), ld(l) = ld_alpha l + (1 - ld_alpha) l_head: tokens past the length of
// the pair's shorter response count ld_alpha. The response's statistic is l_head (Statistic::head_logp).
// arXiv 2409.06411, eq. 9. With Desensitise::policy the reference's log-probability is taken whole.
struct LengthDesensitised {
  float beta = 0.1f;
  float ld_alpha = 0.5f;
  Desensitise desensitise = Desensitise::both;

  static constexpr bool reads_reference = true;
  static constexpr bool per_token = false;

  template <class T>
  SOLOPO_HD constexpr T value(const Response<T>& y) const noexcept {
    const T reference = desensitise == Desensitise::both ? weighted(y.ref_logp, y.ref_statistic) : y.ref_logp;
    return T(beta) * (weighted(y.logp, y.statistic) - reference);
  }
  template <class T>
  SOLOPO_HD constexpr T slope(const Response<T>&) const noexcept {
    return T(beta) * T(ld_alpha);
  }
  template <class T>
  SOLOPO_HD constexpr T statistic_slope(const Response<T>&) const noexcept {
    return T(beta) * (T(1) - T(ld_alpha));
  }

 private:
  template <class T>
  SOLOPO_HD constexpr T weighted(const T& logp, const T& head) const noexcept {
    return T(ld_alpha) * logp + (T(1) - T(ld_alpha)) * head;
  }
};

static_assert(ImplicitReward<LengthDesensitised>);

}  // namespace solopo::rewards
