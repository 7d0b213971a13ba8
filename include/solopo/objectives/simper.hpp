// Preference optimisation by inverse perplexity, without any number to choose.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/linear.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/inverse_perplexity.hpp"

namespace solopo {

// -e^(mean logp chosen) + e^(mean logp rejected). arXiv 2502.00883. Between -1 and 1.
struct SimPER {
  static constexpr Needs needs = pairwise_needs<rewards::InversePerplexity>;
  SOLOPO_HD constexpr rewards::InversePerplexity reward() const noexcept { return {}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Linear{}, reward(), p);
  }
};

static_assert(RewardObjective<SimPER>);

}  // namespace solopo
