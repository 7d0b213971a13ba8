// The one place of the chain rule: a link f of the margin of two rewards. Most objectives are this function
// with their link, their reward and their margin named.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo {

// What an objective on the margin of reward R reads.
template <ImplicitReward R>
inline constexpr Needs pairwise_needs = needs_of_responses(Needs::chosen | Needs::rejected,
                                                           R::reads_reference);

// f(z) with z = r(chosen) - r(rejected) - margin (arXiv 2402.05749, eq. 4), and
// dloss/dlogp = f'(z) r'(chosen) and -f'(z) r'(rejected).
template <Link F, ImplicitReward R, class T>
SOLOPO_HD PairLoss<T> pairwise_loss(const F& link, const R& reward, const Pair<T>& p,
                                    T margin = T(0)) noexcept {
  const T z = reward.value(p.chosen) - reward.value(p.rejected) - margin;
  const T slope = link.slope(z);
  PairLoss<T> g;
  g.loss = link.value(z);
  g.chosen = slope * reward.slope(p.chosen);
  g.rejected = -slope * reward.slope(p.rejected);
  return g;
}

// `weight` times a loss and all its derivatives.
template <class T>
SOLOPO_HD PairLoss<T> scaled(PairLoss<T> g, T weight) noexcept {
  g.loss *= weight;
  g.chosen *= weight;
  g.rejected *= weight;
  g.chosen_long *= weight;
  g.rejected_long *= weight;
  return g;
}

// `g` plus the chosen response's negative log-likelihood a token, -logp / length.
template <class T>
SOLOPO_HD PairLoss<T> with_chosen_nll(PairLoss<T> g, const Pair<T>& p) noexcept {
  g.loss -= p.chosen.logp / p.chosen.length;
  g.chosen -= T(1) / p.chosen.length;
  return g;
}

}  // namespace solopo
