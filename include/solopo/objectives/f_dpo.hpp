// DPO and its relatives under another divergence.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/divergence.hpp"

namespace solopo {

// Base's loss with the reward beta g(log-ratio), g from the divergence. arXiv 2309.16240 for Base = DPO.
// Base is any objective on the margin of two reference rewards: DPO, RobustDPO, Hinge, IPO, SigmoidNorm, EXO,
// DiscoPOP. Each side is transformed before it is divided by its length.
template <MarginObjective Base = DPO>
struct FDPO {
  Base base{};
  FDivergence divergence{};

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit_options(self.base, visit);
    visit_options(self.divergence, visit);
  }

  using Reward = rewards::Diverged<decltype(Base{}.reward())>;
  static constexpr Needs needs = pairwise_needs<Reward>;
  SOLOPO_HD constexpr Reward reward() const noexcept { return {base.reward(), divergence}; }
  // TRL logs beta times the summed log-ratio as rewards/*, whatever the divergence.
  SOLOPO_HD constexpr rewards::LogRatio logged_reward() const noexcept { return {base.beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return base.with_reward(reward(), p);
  }
};

static_assert(RewardObjective<FDPO<>>);

}  // namespace solopo
