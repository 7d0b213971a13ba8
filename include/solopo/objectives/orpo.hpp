// Odds-ratio preference optimisation: no reference model, the likelihood of the chosen response kept in view.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_odds.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -logp(chosen) / length - lambda ln sigmoid(log-odds chosen - log-odds rejected). arXiv 2403.07691, eq. 6
// and 7. The first term is divided as `nll` says. The log-odds are clamped
// (rewards/log_odds.hpp).
struct ORPO {
  float lambda = 0.1f;
  Nll nll = Nll::per_response;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("lambda", self.lambda, at_least(0.0f));
    visit("nll", self.nll, nll_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogOdds> | Needs::mean_length;
  SOLOPO_HD constexpr rewards::LogOdds reward() const noexcept { return {}; }
  // TRL logs lambda times the mean log-probability as rewards/*.
  SOLOPO_HD constexpr rewards::MeanLogp logged_reward() const noexcept { return {lambda}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_chosen_nll(scaled(pairwise_loss(links::Logistic{}, reward(), p), T(lambda)), p, T(1), nll);
  }
};

static_assert(RewardObjective<ORPO>);

}  // namespace solopo
