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
  T statistic{}, ref_statistic{};  // one more number of the response, see Statistic
};

// What Response::statistic is to an objective that reads it; ref_statistic is the same under the reference.
enum class Statistic {
  none,
  head_logp,  // log-probability of the first m tokens [nats], m the length of the pair's shorter response
  collision_logp,  // sum over the tokens of log sum_v pi(v)^2 [nats]: of two draws being the same token
  sequential_kl    // sum over the tokens of KL(reference || policy) over the vocabulary [nats]
};

// A preference record: the preferred and the dispreferred response, each under the short prompt and, where an
// objective asks for it, under the long one; and what else some objectives read of it.
template <class T>
struct Pair {
  Response<T> chosen{}, rejected{}, chosen_long{}, rejected_long{};
  Response<T> third{};                 // one more response under chosen's prompt, see ThirdResponse
  T score_chosen{}, score_rejected{};  // how good the responses are, on any scale
  T label{};                           // of records with one response, `chosen`: above 0 desirable, else not
  T mean_length{};                     // of the batch's chosen responses; 0: of this one
};

// What the third response is.
enum class ThirdResponse {
  none,
  reference,        // a better answer than chosen: the record's "reference" (arXiv 2405.16681)
  second_rejected,  // one more dispreferred answer: "rejected_2" (arXiv 2410.18533)
  unmatched,        // the answer of another record, whose prompt is another one (arXiv 2402.01306)
  sequence          // prompt and chosen response, scored together as plain text from the second token on
};

// The loss of one pair and its derivative by each response's logp (0 for those it does not depend on).
template <class T>
struct PairLoss {
  T loss{};
  T chosen{}, rejected{}, chosen_long{}, rejected_long{}, third{};
  T by_statistic[5]{};  // by each response's statistic, in the order of response_roles
};

// What an objective reads of a Pair, hence which forward passes must run. A response's bit covers its logp
// and length, a ref_ bit its ref_logp. Fields that are not named may hold anything.
enum class Needs : unsigned {
  none = 0,
  chosen = 1,
  rejected = 2,
  chosen_long = 4,
  rejected_long = 8,
  third = 16,
  ref_chosen = 1 << 8,
  ref_rejected = 2 << 8,
  ref_chosen_long = 4 << 8,
  ref_rejected_long = 8 << 8,
  ref_third = 16 << 8,
  scores = 1 << 16,
  label = 2 << 16,
  mean_length = 4 << 16,
  statistic = 8 << 16,       // of every response that it reads
  ref_statistic = 16 << 16,  // of every response whose reference log-probability it reads
};

SOLOPO_HD constexpr Needs operator|(Needs a, Needs b) noexcept {
  return static_cast<Needs>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
SOLOPO_HD constexpr Needs operator&(Needs a, Needs b) noexcept {
  return static_cast<Needs>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

// Whether every bit of `bits` is in `set`, and whether any is.
SOLOPO_HD constexpr bool has(Needs set, Needs bits) noexcept { return (set & bits) == bits; }
SOLOPO_HD constexpr bool has_any(Needs set, Needs bits) noexcept { return (set & bits) != Needs::none; }

// The bits of `set` that are not in `bits`.
SOLOPO_HD constexpr Needs without(Needs set, Needs bits) noexcept {
  return static_cast<Needs>(static_cast<unsigned>(set) & ~static_cast<unsigned>(bits));
}

// Those of the bits that stand for a response.
SOLOPO_HD constexpr Needs responses_of(Needs set) noexcept { return set & static_cast<Needs>(31); }

// The ref_ bits that belong to the given response bits.
SOLOPO_HD constexpr Needs reference_of(Needs responses) noexcept {
  return static_cast<Needs>(static_cast<unsigned>(responses_of(responses)) << 8);
}

// The responses whose ref_ bits are set.
SOLOPO_HD constexpr Needs referenced(Needs set) noexcept {
  return responses_of(static_cast<Needs>(static_cast<unsigned>(set) >> 8));
}

// Whether any reference log-probability is read.
SOLOPO_HD constexpr bool needs_reference(Needs set) noexcept { return referenced(set) != Needs::none; }

// The given responses, and their reference log-probabilities when `reference` is true.
SOLOPO_HD constexpr Needs needs_of_responses(Needs responses, bool reference) noexcept {
  return reference ? responses | reference_of(responses) : responses;
}

// The roles a response can have in a pair, in the order in which they are listed everywhere.
struct ResponseRole {
  const char* name;
  Needs response, reference;
};
inline constexpr ResponseRole response_roles[] = {
    {"chosen", Needs::chosen, Needs::ref_chosen},
    {"rejected", Needs::rejected, Needs::ref_rejected},
    {"chosen_long", Needs::chosen_long, Needs::ref_chosen_long},
    {"rejected_long", Needs::rejected_long, Needs::ref_rejected_long},
    {"third", Needs::third, Needs::ref_third},
};
inline constexpr unsigned role_count = sizeof response_roles / sizeof *response_roles;
static_assert(sizeof(PairLoss<float>::by_statistic) / sizeof(float) == role_count);

// The member of a Pair and of a PairLoss that belongs to each role.
template <class T>
inline constexpr Response<T> Pair<T>::*role_of_pair[role_count] = {
    &Pair<T>::chosen, &Pair<T>::rejected, &Pair<T>::chosen_long, &Pair<T>::rejected_long, &Pair<T>::third};
template <class T>
inline constexpr T PairLoss<T>::*role_of_loss[role_count] = {
    &PairLoss<T>::chosen, &PairLoss<T>::rejected, &PairLoss<T>::chosen_long, &PairLoss<T>::rejected_long,
    &PairLoss<T>::third};

template <class To, class From>
SOLOPO_HD constexpr Response<To> converted(const Response<From>& y) noexcept {
  return {static_cast<To>(y.logp), static_cast<To>(y.ref_logp), static_cast<To>(y.length),
          static_cast<To>(y.statistic), static_cast<To>(y.ref_statistic)};
}

// The pair with every number converted.
template <class To, class From>
SOLOPO_HD constexpr Pair<To> converted(const Pair<From>& p) noexcept {
  return {.chosen = converted<To>(p.chosen),
          .rejected = converted<To>(p.rejected),
          .chosen_long = converted<To>(p.chosen_long),
          .rejected_long = converted<To>(p.rejected_long),
          .third = converted<To>(p.third),
          .score_chosen = static_cast<To>(p.score_chosen),
          .score_rejected = static_cast<To>(p.score_rejected),
          .label = static_cast<To>(p.label),
          .mean_length = static_cast<To>(p.mean_length)};
}

}  // namespace solopo
