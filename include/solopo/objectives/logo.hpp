// Long-context preference optimisation with two dispreferred answers.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/mean_logp.hpp"

namespace solopo {

// -ln sigmoid(beta (m_w - (m_l + m_3) / 2) - gamma) + nll_weight NLL(chosen), m the mean log-probability a
// token, m_3 that of the second rejected response. arXiv 2410.18533, eq. 4. gamma is absolute.
struct LOGO {
  float beta = 10.0f;
  float gamma = 3.0f;
  float nll_weight = 0.1f;
  Nll nll = Nll::per_response;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("gamma", self.gamma, at_least(0.0f));
    visit("nll_weight", self.nll_weight, at_least(0.0f));
    visit("nll", self.nll, nll_names);
  }

  // From the ratio gamma / beta, as its authors' recipes write it (10, 0.3; 3, 0.2).
  SOLOPO_HD static constexpr LOGO from_ratio(float beta, float ratio) noexcept {
    return {.beta = beta, .gamma = beta * ratio};
  }

  static constexpr Needs needs = pairwise_needs<rewards::MeanLogp> | Needs::third | Needs::mean_length;
  static constexpr ThirdResponse third = ThirdResponse::second_rejected;
  SOLOPO_HD constexpr rewards::MeanLogp reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    const rewards::MeanLogp r = reward();
    const T z = r.value(p.chosen) - (r.value(p.rejected) + r.value(p.third)) / T(2) - T(gamma);
    const links::Logistic link;
    const T slope = link.slope(z);
    PairLoss<T> g;
    g.loss = link.value(z);
    g.chosen = slope * r.slope(p.chosen);
    g.rejected = -slope * r.slope(p.rejected) / T(2);
    g.third = -slope * r.slope(p.third) / T(2);
    return with_chosen_nll(g, p, T(nll_weight), nll);
  }
};

static_assert(RewardObjective<LOGO>);

}  // namespace solopo
