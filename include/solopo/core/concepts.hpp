// What a rule must offer to be used as a link, a distance, a reward or an objective. Every concept is checked
// for float and double.
#pragma once

#include <concepts>
#include <type_traits>

#include "solopo/core/response.hpp"

namespace solopo {

// A small value without resources: it may be copied byte by byte, for instance to a GPU.
template <class X>
concept ScalarRule = std::is_trivially_copyable_v<X> && std::default_initializable<X>;

// A function of one number with its derivative.
template <class F>
concept Link = ScalarRule<F> && requires(const F f, float x, double y) {
  { f.value(x) }
  noexcept->std::same_as<float>;
  { f.slope(x) }
  noexcept->std::same_as<float>;
  { f.value(y) }
  noexcept->std::same_as<double>;
  { f.slope(y) }
  noexcept->std::same_as<double>;
};

// A link that declares itself convex (`static constexpr bool is_convex = true`).
template <class F>
concept ConvexLink = Link<F> && requires {
  requires F::is_convex;
};

// A convex link that declares itself even and zero at zero (`static constexpr bool is_distance = true`).
template <class D>
concept Distance = ConvexLink<D> && requires {
  requires D::is_distance;
};

// The reward r(x, y) an objective gives a response: value, derivative by logp, and whether it reads ref_logp.
template <class R>
concept ImplicitReward = ScalarRule<R> && requires(const R r, Response<float> x, Response<double> y) {
  { r.value(x) }
  noexcept->std::same_as<float>;
  { r.slope(x) }
  noexcept->std::same_as<float>;
  { r.value(y) }
  noexcept->std::same_as<double>;
  { r.slope(y) }
  noexcept->std::same_as<double>;
  { R::reads_reference } -> std::convertible_to<bool>;
};

// A loss of one pair with its derivatives, and the list of what it reads.
template <class O>
concept PreferenceObjective = ScalarRule<O> && requires(const O o, Pair<float> x, Pair<double> y) {
  { o(x) }
  noexcept->std::same_as<PairLoss<float>>;
  { o(y) }
  noexcept->std::same_as<PairLoss<double>>;
  { O::needs } -> std::convertible_to<Needs>;
};

// An objective with an implicit reward, which short-to-long alignment can compare across prompts.
template <class O>
concept RewardObjective = PreferenceObjective<O> && requires(const O o) {
  { o.reward() }
  noexcept->ImplicitReward;
};

// A reward objective that is a function of two rewards' difference and can be given another reward.
template <class O>
concept MarginObjective = RewardObjective<O> && requires(const O o, Pair<float> x, Pair<double> y) {
  { o.with_reward(o.reward(), x) }
  noexcept->std::same_as<PairLoss<float>>;
  { o.with_reward(o.reward(), y) }
  noexcept->std::same_as<PairLoss<double>>;
};

}  // namespace solopo
