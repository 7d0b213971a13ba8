// DPO with the length of the responses taken out of the preference.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// -ln sigmoid(D + length_weight (length chosen - length rejected)), D as in DPO. arXiv 2403.19159, the sign
// as there: with length_weight > 0 a longer chosen response already counts as preferred, so it is raised
// less. Minus the weight gives the other sign.
struct RDPO {
  float beta = 0.1f;
  float length_weight = 0.01f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("length_weight", self.length_weight, any_number);
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio>;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Logistic{}, reward(), p,
                         T(-length_weight) * (p.chosen.length - p.rejected.length));
  }
};

static_assert(RewardObjective<RDPO>);

}  // namespace solopo
