// What training reports about a batch, under the names TRL uses.
#pragma once

#include <cstddef>

#include "solopo/backends/pair_sums.hpp"
#include "solopo/objectives/pair_metrics.hpp"

namespace solopo {

// Means over the batch's pairs. Which of them are defined depends on the objective; for_each visits only
// those.
struct BatchMetrics {
  std::size_t pairs = 0;
  double loss = 0;
  double rewards_chosen = 0, rewards_rejected = 0;  // see PairMetrics for what is logged as a reward
  double rewards_accuracies = 0;                    // share with chosen > rejected; a tie counts as wrong
  double logps_chosen = 0, logps_rejected = 0;
  double solo_ra_gap = 0;   // r_short - r_long of the chosen response, signed
  double solo_ra_loss = 0;  // the alignment term without alpha
  double solo_ra_reward_short = 0, solo_ra_reward_long = 0;  // of the chosen response
  double clamped = 0;                                        // responses a pair whose reward was clamped

  [[nodiscard]] bool has_alignment() const noexcept { return aligned > 0; }
  // chosen - rejected; of records with one response the difference of the two means.
  [[nodiscard]] double rewards_margins() const noexcept { return rewards_chosen - rewards_rejected; }

  // Takes one more pair into the means.
  void add(double pair_loss, const PairMetrics& m) {
    BatchMetrics one;
    one.pairs = 1;
    one.loss = pair_loss;
    one.rewarded_chosen = m.has_chosen_reward;
    one.rewards_chosen = m.reward_chosen;
    one.rewarded_rejected = m.has_rejected_reward;
    one.rewards_rejected = m.reward_rejected;
    one.compared = m.has_chosen_reward && m.has_rejected_reward;
    one.rewards_accuracies = m.reward_chosen > m.reward_rejected ? 1 : 0;
    one.scored_chosen = m.has_chosen;
    one.logps_chosen = m.logp_chosen;
    one.scored_rejected = m.has_rejected;
    one.logps_rejected = m.logp_rejected;
    one.aligned = m.has_alignment;
    one.solo_ra_gap = m.gap;
    one.solo_ra_loss = m.alignment_loss;
    one.solo_ra_reward_short = m.reward_short;
    one.solo_ra_reward_long = m.reward_long;
    one.clamped = m.clamped;
    add(one);
  }

  // Takes in another batch of the same objective, weighted by its pairs: for gradient accumulation.
  void add(const BatchMetrics& other) {
    for (const Mean& mean : means) {
      const std::size_t more = other.*mean.count;
      if (more == 0) continue;
      const double w = static_cast<double>(more) / static_cast<double>(this->*mean.count + more);
      this->*mean.value += w * (other.*mean.value - this->*mean.value);
    }
    for (const auto count : counts) this->*count += other.*count;
  }

  // The means of sums over pairs.
  [[nodiscard]] static BatchMetrics of(const PairSums& s) {
    BatchMetrics m;
    const auto mean = [](double& value, std::size_t& count, double sum, double over) {
      count = static_cast<std::size_t>(over);
      value = over > 0 ? sum / over : 0;
    };
    mean(m.loss, m.pairs, s.loss, s.pairs);
    mean(m.rewards_chosen, m.rewarded_chosen, s.rewards_chosen, s.rewarded_chosen);
    mean(m.rewards_rejected, m.rewarded_rejected, s.rewards_rejected, s.rewarded_rejected);
    mean(m.rewards_accuracies, m.compared, s.accurate, s.compared);
    mean(m.logps_chosen, m.scored_chosen, s.logps_chosen, s.scored_chosen);
    mean(m.logps_rejected, m.scored_rejected, s.logps_rejected, s.scored_rejected);
    mean(m.solo_ra_gap, m.aligned, s.gap, s.aligned);
    mean(m.solo_ra_loss, m.aligned, s.alignment_loss, s.aligned);
    mean(m.solo_ra_reward_short, m.aligned, s.reward_short, s.aligned);
    mean(m.solo_ra_reward_long, m.aligned, s.reward_long, s.aligned);
    mean(m.clamped, m.pairs, s.clamped, s.pairs);
    return m;
  }

  // f(name, value) for every defined metric, in a fixed order.
  template <class F>
  void for_each(F&& f) const {
    f("loss", loss);
    if (rewarded_chosen > 0) f("rewards/chosen", rewards_chosen);
    if (rewarded_rejected > 0) f("rewards/rejected", rewards_rejected);
    if (compared > 0) f("rewards/accuracies", rewards_accuracies);
    if (rewarded_chosen > 0 && rewarded_rejected > 0) f("rewards/margins", rewards_margins());
    if (scored_chosen > 0) f("logps/chosen", logps_chosen);
    if (scored_rejected > 0) f("logps/rejected", logps_rejected);
    if (has_alignment()) {
      f("solo_ra/gap", solo_ra_gap);
      f("solo_ra/loss", solo_ra_loss);
      f("solo_ra/reward_short", solo_ra_reward_short);
      f("solo_ra/reward_long", solo_ra_reward_long);
    }
    if (clamped > 0) f("rewards/clamped", clamped);
  }

 private:
  // How many pairs each mean is over.
  std::size_t rewarded_chosen = 0, rewarded_rejected = 0, compared = 0, scored_chosen = 0,
              scored_rejected = 0, aligned = 0;

  struct Mean {
    double BatchMetrics::*value;
    std::size_t BatchMetrics::*count;
  };
  static const Mean means[11];
  static constexpr std::size_t BatchMetrics::*counts[] = {
      &BatchMetrics::pairs,    &BatchMetrics::rewarded_chosen, &BatchMetrics::rewarded_rejected,
      &BatchMetrics::compared, &BatchMetrics::scored_chosen,   &BatchMetrics::scored_rejected,
      &BatchMetrics::aligned,
  };
};

inline constexpr BatchMetrics::Mean BatchMetrics::means[11] = {
    {&BatchMetrics::loss, &BatchMetrics::pairs},
    {&BatchMetrics::rewards_chosen, &BatchMetrics::rewarded_chosen},
    {&BatchMetrics::rewards_rejected, &BatchMetrics::rewarded_rejected},
    {&BatchMetrics::rewards_accuracies, &BatchMetrics::compared},
    {&BatchMetrics::logps_chosen, &BatchMetrics::scored_chosen},
    {&BatchMetrics::logps_rejected, &BatchMetrics::scored_rejected},
    {&BatchMetrics::solo_ra_gap, &BatchMetrics::aligned},
    {&BatchMetrics::solo_ra_loss, &BatchMetrics::aligned},
    {&BatchMetrics::solo_ra_reward_short, &BatchMetrics::aligned},
    {&BatchMetrics::solo_ra_reward_long, &BatchMetrics::aligned},
    {&BatchMetrics::clamped, &BatchMetrics::pairs},
};

}  // namespace solopo
