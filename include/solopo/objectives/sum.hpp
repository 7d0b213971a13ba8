// A weighted sum of objectives.
#pragma once

#include <type_traits>

#include "solopo/objectives/pairwise.hpp"

namespace solopo {

// weight first(p) + rest(p), of any number of objectives: Sum<DPO, BCOPair, SFT>{{.beta = 0.1f}, 0.8f,
// {{.beta = 0.1f}, 0.2f, {{}, 1.0f}}}. Its implicit reward is the first one's, where that has one.
template <PreferenceObjective First, PreferenceObjective... Others>
struct Sum {
  First first{};
  float weight = 1.0f;
  Sum<Others...> rest{};

  static constexpr Needs needs = First::needs | Sum<Others...>::needs;
  SOLOPO_HD constexpr auto reward() const noexcept requires RewardObjective<First> { return first.reward(); }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return added(scaled(first(p), T(weight)), rest(p));
  }
};

template <PreferenceObjective Last>
struct Sum<Last> {
  Last first{};
  float weight = 1.0f;

  static constexpr Needs needs = Last::needs;
  SOLOPO_HD constexpr auto reward() const noexcept requires RewardObjective<Last> { return first.reward(); }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return scaled(first(p), T(weight));
  }
};

}  // namespace solopo
