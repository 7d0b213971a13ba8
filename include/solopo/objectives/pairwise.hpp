// The one place of the chain rule: a link f of the margin of two rewards. Most objectives are this function
// with their link, their reward and their margin named.
#pragma once

#include "solopo/core/concepts.hpp"
#include "solopo/core/select.hpp"

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
  if constexpr (requires { reward.statistic_slope(p.chosen); }) {
    g.by_statistic[0] = slope * reward.statistic_slope(p.chosen);
    g.by_statistic[1] = -slope * reward.statistic_slope(p.rejected);
  }
  return g;
}

// f(r(y)) of one response and its derivative by logp.
template <class T>
struct ResponseLoss {
  T loss{}, slope{};
};

template <Link F, ImplicitReward R, class T>
SOLOPO_HD ResponseLoss<T> response_loss(const F& link, const R& reward, const Response<T>& y) noexcept {
  const T r = reward.value(y);
  return {link.value(r), link.slope(r) * reward.slope(y)};
}

// f(r(chosen)) + h(r(rejected)): each response judged by itself.
template <Link F, Link H, ImplicitReward R, class T>
SOLOPO_HD PairLoss<T> pointwise_loss(const F& for_chosen, const H& for_rejected, const R& reward,
                                     const Pair<T>& p) noexcept {
  const ResponseLoss<T> w = response_loss(for_chosen, reward, p.chosen);
  const ResponseLoss<T> l = response_loss(for_rejected, reward, p.rejected);
  PairLoss<T> g;
  g.loss = w.loss + l.loss;
  g.chosen = w.slope;
  g.rejected = l.slope;
  return g;
}

// The sum of two losses and of all their derivatives.
template <class T>
SOLOPO_HD PairLoss<T> added(PairLoss<T> g, const PairLoss<T>& h) noexcept {
  g.loss += h.loss;
  g.chosen += h.chosen;
  g.rejected += h.rejected;
  g.chosen_long += h.chosen_long;
  g.rejected_long += h.rejected_long;
  g.third += h.third;
  for (unsigned r = 0; r < role_count; ++r) g.by_statistic[r] += h.by_statistic[r];
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
  g.third *= weight;
  for (T& derivative : g.by_statistic) derivative *= weight;
  return g;
}

// What the chosen response's negative log-likelihood is divided by: its own number of tokens, nothing, or the
// mean number over the batch, which makes the batch's mean that of all its chosen tokens.
enum class Nll { per_response, sum, batch_tokens };
inline constexpr const char* nll_names[] = {"per_response", "sum", "batch_tokens"};

// `g` plus `weight` times the chosen response's negative log-likelihood.
template <class T>
SOLOPO_HD PairLoss<T> with_chosen_nll(PairLoss<T> g, const Pair<T>& p, T weight = T(1),
                                      Nll nll = Nll::per_response) noexcept {
  const bool by_batch = static_cast<int>(nll == Nll::batch_tokens) & static_cast<int>(p.mean_length > T(0));
  const T tokens = select(nll == Nll::sum, T(1), select(by_batch, p.mean_length, p.chosen.length));
  g.loss -= weight * (p.chosen.logp / tokens);
  g.chosen -= weight / tokens;
  return g;
}

}  // namespace solopo
