// One pair of a batch held as arrays: gather what the objective reads, call it, write loss and derivatives.
// The same functor runs in a loop on the host and in a kernel, one thread a pair.
#pragma once

#include <cstddef>

#include "solopo/core/concepts.hpp"
#include "solopo/core/response.hpp"

namespace solopo {

// An objective whose loss of one pair depends on that pair alone, so that pairs can be taken in any order and
// on any device. Objectives that couple the pairs of a batch (KTO, BCO, AOT ...) go through batch_loss().
template <class O>
concept ElementwiseObjective = PreferenceObjective<O>;

// Pointers to one role's numbers, one a pair; see Response.
template <class T>
struct ResponseArrays {
  const T* logp = nullptr;
  const T* ref_logp = nullptr;
  const T* length = nullptr;
  const T* statistic = nullptr;
  const T* ref_statistic = nullptr;
};

// Pointers to the numbers of a batch. Those that the objective does not need are never followed.
template <class T>
struct PairArrays {
  ResponseArrays<T> chosen{}, rejected{}, chosen_long{}, rejected_long{}, third{};
  const T* score_chosen = nullptr;
  const T* score_rejected = nullptr;
  const T* label = nullptr;
  const T* mean_length = nullptr;  // one number, see Pair
};

// Where the results go: the loss of each pair, and its derivative by each response's logp and statistic.
template <class T>
struct PairLossArrays {
  T* loss = nullptr;
  T* chosen = nullptr;
  T* rejected = nullptr;
  T* chosen_long = nullptr;
  T* rejected_long = nullptr;
  T* third = nullptr;
  T* by_statistic[role_count] = {};  // by each response's statistic, in the order of response_roles
};

// What `needs` names of pair i; the rest stays 0.
template <Needs needs, class T>
SOLOPO_HD inline Pair<T> gathered(const PairArrays<T>& in, std::size_t i) noexcept {
  Pair<T> p;
  const auto gather = [i](Response<T>& to, const ResponseArrays<T>& from, Needs response, Needs reference) {
    if (has(needs, response)) {
      to.logp = from.logp[i];
      to.length = from.length[i];
    }
    if (has(needs, reference)) to.ref_logp = from.ref_logp[i];
    if (has(needs, response | Needs::statistic)) to.statistic = from.statistic[i];
    if (has(needs, reference | Needs::ref_statistic)) to.ref_statistic = from.ref_statistic[i];
  };
  gather(p.chosen, in.chosen, Needs::chosen, Needs::ref_chosen);
  gather(p.rejected, in.rejected, Needs::rejected, Needs::ref_rejected);
  gather(p.chosen_long, in.chosen_long, Needs::chosen_long, Needs::ref_chosen_long);
  gather(p.rejected_long, in.rejected_long, Needs::rejected_long, Needs::ref_rejected_long);
  gather(p.third, in.third, Needs::third, Needs::ref_third);
  if constexpr (has(needs, Needs::scores)) {
    p.score_chosen = in.score_chosen[i];
    p.score_rejected = in.score_rejected[i];
  }
  if constexpr (has(needs, Needs::label)) p.label = in.label[i];
  if constexpr (has(needs, Needs::mean_length)) p.mean_length = *in.mean_length;
  return p;
}

// Writes pair i's results, the derivatives times `scale`, for the responses that `needs` names.
template <Needs needs, class T>
SOLOPO_HD inline void scatter(const PairLossArrays<T>& out, std::size_t i, const PairLoss<T>& g,
                              T scale) noexcept {
  out.loss[i] = g.loss;
  if constexpr (has(needs, Needs::chosen)) out.chosen[i] = g.chosen * scale;
  if constexpr (has(needs, Needs::rejected)) out.rejected[i] = g.rejected * scale;
  if constexpr (has(needs, Needs::chosen_long)) out.chosen_long[i] = g.chosen_long * scale;
  if constexpr (has(needs, Needs::rejected_long)) out.rejected_long[i] = g.rejected_long * scale;
  if constexpr (has(needs, Needs::third)) out.third[i] = g.third * scale;
  if constexpr (has(needs, Needs::statistic)) {
    constexpr Needs roles[] = {Needs::chosen, Needs::rejected, Needs::chosen_long, Needs::rejected_long,
                               Needs::third};
    for (unsigned r = 0; r < role_count; ++r)
      if (has(needs, roles[r])) out.by_statistic[r][i] = g.by_statistic[r] * scale;
  }
}

template <ElementwiseObjective O, class T>
struct PairFunctor {
  O objective{};
  PairArrays<T> in{};
  PairLossArrays<T> out{};
  T scale = T(1);  // of the derivatives

  SOLOPO_HD void operator()(std::size_t i) const noexcept {
    scatter<O::needs>(out, i, objective(gathered<O::needs>(in, i)), scale);
  }
};

}  // namespace solopo
