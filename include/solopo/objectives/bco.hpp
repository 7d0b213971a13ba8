// Binary classifier optimisation: records with one response that is desirable or not.
#pragma once

#include <cstddef>
#include <span>

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// A desirable response: -ln sigmoid(r - delta), another: -ln sigmoid(delta - r), r = beta times the summed
// log-ratio, delta the mean reward of every record seen in training, this batch included, without gradient.
// arXiv 2404.04656, eq. 9 and 10, without its weights for shifted prompts. The response is `chosen`,
// whatever its label.
struct BCO {
  float beta = 0.1f;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
  }

  static constexpr Needs needs = Needs::chosen | Needs::ref_chosen | Needs::label;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  // Mean and number of the rewards seen.
  struct State {
    double delta = 0, count = 0;

    template <class Self, class Visit>
    static constexpr void each_field(Self& self, Visit&& visit) {
      visit("delta", self.delta);
      visit("count", self.count);
    }
  };

  template <class T>
  State advanced(State state, std::span<const Pair<T>> pairs) const noexcept {
    double sum = 0;
    for (const Pair<T>& p : pairs) sum += static_cast<double>(reward().value(p.chosen));
    const auto seen = static_cast<double>(pairs.size());
    state.count += seen;
    if (state.count > 0) state.delta += (sum - seen * state.delta) / state.count;
    return state;
  }

  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State& state, std::span<PairLoss<T>> out) const noexcept {
    const links::Logistic link;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const T sign = pairs[i].label > T(0) ? T(1) : T(-1);
      const T x = sign * (reward().value(pairs[i].chosen) - static_cast<T>(state.delta));
      out[i] = {};
      out[i].loss = link.value(x);
      out[i].chosen = sign * link.slope(x) * reward().slope(pairs[i].chosen);
    }
  }
};

static_assert(CoupledObjective<BCO> && RewardObjective<BCO>);

}  // namespace solopo
