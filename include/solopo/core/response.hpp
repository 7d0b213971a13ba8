// What passes between a language model and a preference objective: one log-probability per response on the
// way in, one derivative per response on the way out.
#pragma once

#include "solopo/core/config.hpp"

namespace solopo {

// One response under one prompt. Sums run over the response's tokens, its end-of-turn token included, the
// prompt excluded.
template <class T>
struct Response {
  T logp{};      // log-probability under the policy, summed over the tokens [nats], <= 0
  T ref_logp{};  // the same under the reference model [nats]; read only by objectives that need a reference
  T length{};    // number of scored tokens, >= 1
};

// A preference record: the preferred and the dispreferred response, each under the short prompt and, where an
// objective asks for it, under the long one.
template <class T>
struct Pair {
  Response<T> chosen{}, rejected{}, chosen_long{}, rejected_long{};
};

// The loss of one pair and its derivative by each response's logp (0 for those it does not depend on).
template <class T>
struct PairLoss {
  T loss{};
  T chosen{}, rejected{}, chosen_long{}, rejected_long{};
};

// What an objective reads of a Pair, hence which forward passes must run. A response's bit covers its logp
// and length, a ref_ bit its ref_logp. Fields that are not named may hold anything.
enum class Needs : unsigned {
  none = 0,
  chosen = 1,
  rejected = 2,
  chosen_long = 4,
  rejected_long = 8,
  ref_chosen = 16,
  ref_rejected = 32,
  ref_chosen_long = 64,
  ref_rejected_long = 128,
};

SOLOPO_HD constexpr Needs operator|(Needs a, Needs b) noexcept {
  return static_cast<Needs>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
SOLOPO_HD constexpr Needs operator&(Needs a, Needs b) noexcept {
  return static_cast<Needs>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

// Whether every bit of `bits` is in `set`.
SOLOPO_HD constexpr bool has(Needs set, Needs bits) noexcept { return (set & bits) == bits; }

// The ref_ bits that belong to the given response bits.
SOLOPO_HD constexpr Needs reference_of(Needs responses) noexcept {
  return static_cast<Needs>((static_cast<unsigned>(responses) & 15U) << 4);
}

// Whether any reference log-probability is read.
SOLOPO_HD constexpr bool needs_reference(Needs set) noexcept {
  return (static_cast<unsigned>(set) & 240U) != 0;
}

// The given responses, and their reference log-probabilities when `reference` is true.
SOLOPO_HD constexpr Needs needs_of_responses(Needs responses, bool reference) noexcept {
  return reference ? responses | reference_of(responses) : responses;
}

}  // namespace solopo
