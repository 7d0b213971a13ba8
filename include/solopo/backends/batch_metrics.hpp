// What training reports about a batch, under the names TRL uses.
#pragma once

#include <cstddef>

#include "solopo/objectives/pair_metrics.hpp"

namespace solopo {

// Means over the batch's pairs. Which of them are defined depends on the objective; for_each visits only
// those.
struct BatchMetrics {
  std::size_t pairs = 0;
  double loss = 0;
  double rewards_chosen = 0, rewards_rejected = 0;  // see PairMetrics for what is logged as a reward
  double rewards_accuracies = 0;                    // share with chosen > rejected; a tie counts as wrong
  double rewards_margins = 0;                       // chosen - rejected
  double logps_chosen = 0, logps_rejected = 0;
  double solo_ra_gap = 0;   // r_short - r_long of the chosen response, signed
  double solo_ra_loss = 0;  // the alignment term without alpha
  double solo_ra_reward_short = 0, solo_ra_reward_long = 0;  // of the chosen response
  double clamped = 0;                                        // responses a pair whose reward was clamped
  bool has_chosen = false, has_rejected = false, has_chosen_reward = false, has_rejected_reward = false;
  bool has_alignment = false;

  // Takes one more pair into the means.
  void add(double pair_loss, const PairMetrics& m) {
    BatchMetrics one;
    one.pairs = 1;
    one.loss = pair_loss;
    one.rewards_chosen = m.reward_chosen;
    one.rewards_rejected = m.reward_rejected;
    one.rewards_accuracies = m.reward_chosen > m.reward_rejected ? 1 : 0;
    one.rewards_margins = m.reward_chosen - m.reward_rejected;
    one.logps_chosen = m.logp_chosen;
    one.logps_rejected = m.logp_rejected;
    one.solo_ra_gap = m.gap;
    one.solo_ra_loss = m.alignment_loss;
    one.solo_ra_reward_short = m.reward_short;
    one.solo_ra_reward_long = m.reward_long;
    one.clamped = m.clamped;
    one.has_chosen = m.has_chosen;
    one.has_rejected = m.has_rejected;
    one.has_chosen_reward = m.has_chosen_reward;
    one.has_rejected_reward = m.has_rejected_reward;
    one.has_alignment = m.has_alignment;
    add(one);
  }

  // Takes in another batch of the same objective, weighted by its pairs: for gradient accumulation.
  void add(const BatchMetrics& other) {
    if (other.pairs == 0) return;
    pairs += other.pairs;
    const double w = static_cast<double>(other.pairs) / static_cast<double>(pairs);
    for (const auto field : fields) this->*field += w * (other.*field - this->*field);
    has_chosen |= other.has_chosen;
    has_rejected |= other.has_rejected;
    has_chosen_reward |= other.has_chosen_reward;
    has_rejected_reward |= other.has_rejected_reward;
    has_alignment |= other.has_alignment;
  }

  // f(name, value) for every defined metric, in a fixed order.
  template <class F>
  void for_each(F&& f) const {
    f("loss", loss);
    if (has_chosen_reward) f("rewards/chosen", rewards_chosen);
    if (has_rejected_reward) {
      f("rewards/rejected", rewards_rejected);
      f("rewards/accuracies", rewards_accuracies);
      f("rewards/margins", rewards_margins);
    }
    if (has_chosen) f("logps/chosen", logps_chosen);
    if (has_rejected) f("logps/rejected", logps_rejected);
    if (has_alignment) {
      f("solo_ra/gap", solo_ra_gap);
      f("solo_ra/loss", solo_ra_loss);
      f("solo_ra/reward_short", solo_ra_reward_short);
      f("solo_ra/reward_long", solo_ra_reward_long);
    }
    if (clamped > 0) f("rewards/clamped", clamped);
  }

 private:
  static constexpr double BatchMetrics::*fields[] = {
      &BatchMetrics::loss,
      &BatchMetrics::rewards_chosen,
      &BatchMetrics::rewards_rejected,
      &BatchMetrics::rewards_accuracies,
      &BatchMetrics::rewards_margins,
      &BatchMetrics::logps_chosen,
      &BatchMetrics::logps_rejected,
      &BatchMetrics::solo_ra_gap,
      &BatchMetrics::solo_ra_loss,
      &BatchMetrics::solo_ra_reward_short,
      &BatchMetrics::solo_ra_reward_long,
      &BatchMetrics::clamped,
  };
};

}  // namespace solopo
