// A weighted sum of objectives.
#pragma once

#include <type_traits>

#include "solopo/objectives/pairwise.hpp"

namespace solopo {

// weight first(p) + rest(p), of any number of objectives: Sum<DPO, BCOPair, SFT>{{.beta = 0.1f}, 0.8f,
// {{.beta = 0.1f}, 0.2f, {{}, 1.0f}}}. Its implicit reward is the first one's, where that has one. Parts that
// read a statistic, or a third response, must mean the same one.
template <PreferenceObjective First, PreferenceObjective... Others>
struct Sum {
  First first{};
  float weight = 1.0f;
  Sum<Others...> rest{};

  static constexpr Needs needs = First::needs | Sum<Others...>::needs;
  static constexpr Statistic statistic =
      statistic_of<First> != Statistic::none ? statistic_of<First> : Sum<Others...>::statistic;
  static constexpr ThirdResponse third =
      third_of<First> != ThirdResponse::none ? third_of<First> : Sum<Others...>::third;
  static constexpr bool is_semi_gradient =
      solopo::is_semi_gradient<First> || Sum<Others...>::is_semi_gradient;
  static_assert(Sum<Others...>::statistic == Statistic::none || Sum<Others...>::statistic == statistic,
                "a response has one statistic: these objectives read different ones");
  static_assert(Sum<Others...>::third == ThirdResponse::none || Sum<Others...>::third == third,
                "a pair has one third response: these objectives read different ones");

  SOLOPO_HD constexpr auto reward() const noexcept requires RewardObjective<First> { return first.reward(); }
  SOLOPO_HD constexpr auto logged_reward() const noexcept requires requires(const First& o) {
    o.logged_reward();
  }
  { return first.logged_reward(); }

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
  static constexpr Statistic statistic = statistic_of<Last>;
  static constexpr ThirdResponse third = third_of<Last>;
  static constexpr bool is_semi_gradient = solopo::is_semi_gradient<Last>;

  SOLOPO_HD constexpr auto reward() const noexcept requires RewardObjective<Last> { return first.reward(); }
  SOLOPO_HD constexpr auto logged_reward() const noexcept requires requires(const Last& o) {
    o.logged_reward();
  }
  { return first.logged_reward(); }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return scaled(first(p), T(weight));
  }
};

}  // namespace solopo
