// Supervised fine-tuning on the chosen response.
#pragma once

#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -logp(chosen) / length: the mean over this response's own tokens, so every record weighs the same.
struct SFT {
  static constexpr Needs needs = Needs::chosen;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {1.0f}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return with_chosen_nll(PairLoss<T>{}, p);
  }
};

static_assert(RewardObjective<SFT>);

}  // namespace solopo
