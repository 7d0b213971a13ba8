// What training reports about one pair besides its loss.
#pragma once

#include "solopo/core/concepts.hpp"

namespace solopo {

// In double, whatever the batch's type. A value is meaningful when its flag is set.
struct PairMetrics {
  // As TRL logs rewards/*: the objective's logged_reward() where it has one, else its reward(). In TRL's DPO
  // trainer that is beta times the summed log-ratio for every loss, IPO and hinge included; in its SimPO and
  // ORPO trainers beta (lambda for ORPO) times the mean log-probability.
  bool has_chosen_reward = false, has_rejected_reward = false;
  double reward_chosen = 0, reward_rejected = 0;
  // As TRL logs logps/*: summed, but averages over tokens where rewards/* are built on averages.
  bool has_chosen = false, has_rejected = false;
  double logp_chosen = 0, logp_rejected = 0;
  // Of short-to-long alignment, on the objective's own implicit reward and without alpha.
  bool has_alignment = false;
  double gap = 0, alignment_loss = 0, reward_short = 0, reward_long = 0;
  // Responses whose reward was clamped to stay finite (ORPO's log-odds).
  int clamped = 0;

  // The only response, read as chosen, is a dispreferred one.
  SOLOPO_HD void call_it_rejected() noexcept {
    has_rejected = has_chosen;
    has_rejected_reward = has_chosen_reward;
    logp_rejected = logp_chosen;
    reward_rejected = reward_chosen;
    has_chosen = has_chosen_reward = false;
    logp_chosen = reward_chosen = 0;
  }
};

// What an objective reads, known when compiling or when the program runs.
template <class O>
constexpr Needs needs_of(const O& objective) noexcept {
  if constexpr (requires { objective.needs(); }) {
    return objective.needs();
  } else {
    return O::needs;
  }
}

// The metrics of one pair under any objective. Reads only what the objective needs.
template <class O>
SOLOPO_HD PairMetrics pair_metrics(const O& objective, const Pair<double>& p) {
  if constexpr (requires { objective.metrics(p); }) {
    return objective.metrics(p);
  } else {
    constexpr Needs needs = O::needs;
    PairMetrics m;
    m.has_chosen = has(needs, Needs::chosen);
    m.has_rejected = has(needs, Needs::rejected);
    bool per_token = false;
    const auto log_rewards = [&]<class R>(const R& r) {
      if constexpr (requires { R::per_token; }) per_token = R::per_token;
      m.has_chosen_reward = has(needs, needs_of_responses(Needs::chosen, R::reads_reference));
      m.has_rejected_reward = has(needs, needs_of_responses(Needs::rejected, R::reads_reference));
      if (m.has_chosen_reward) m.reward_chosen = r.value(p.chosen);
      if (m.has_rejected_reward) m.reward_rejected = r.value(p.rejected);
    };
    if constexpr (requires { objective.logged_reward(); }) {
      log_rewards(objective.logged_reward());
    } else if constexpr (requires { objective.reward(); }) {
      log_rewards(objective.reward());
    }
    if (m.has_chosen) m.logp_chosen = per_token ? p.chosen.logp / p.chosen.length : p.chosen.logp;
    if (m.has_rejected) m.logp_rejected = per_token ? p.rejected.logp / p.rejected.length : p.rejected.logp;
    if constexpr (requires { objective.alignment(p); }) {
      const auto a = objective.alignment(p);
      m.has_alignment = objective.aligns(p);
      m.gap = a.gap;
      m.alignment_loss = a.loss;
      m.reward_short = a.reward_short;
      m.reward_long = a.reward_long;
    }
    if constexpr (requires { objective.reward().clamped(p.chosen); }) {
      const auto count = [&](const Response<double>& y, Needs role) {
        m.clamped += has(needs, role) && objective.reward().clamped(y);
      };
      count(p.chosen, Needs::chosen);
      count(p.rejected, Needs::rejected);
      count(p.chosen_long, Needs::chosen_long);
      count(p.rejected_long, Needs::rejected_long);
      count(p.third, Needs::third);
    }
    if (has(needs, Needs::label) && !(p.label > 0)) m.call_it_rejected();
    return m;
  }
}

}  // namespace solopo
