// What a rule must offer to be used as a link, a distance, a reward or an objective. Every concept is checked
// for float and double.
#pragma once

#include <concepts>
#include <span>
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
// One that reads the statistic also offers statistic_slope(y), the derivative by it.
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

// Of objectives that carry nothing from batch to batch.
struct NoState {
  template <class Self, class Visit>
  static constexpr void each_field(Self&, Visit&&) {}
};

// What an objective carries from one batch to the next: a few doubles, which a checkpoint holds by name.
// each_field(self, visit) calls visit(name, self.member) for each.
template <class S>
concept ObjectiveState = ScalarRule<S> && requires(S& state, void (*visit)(const char*, double&)) {
  S::each_field(state, visit);
};

// An objective whose loss of one pair depends on the others of its batch, or on a state. advanced() gives the
// state after this batch has been seen: training calls it before losses(), evaluation does not call it.
// losses() writes the loss of every pair; the batch's loss is their mean, and the derivatives are those of
// the sum of all losses by that pair's log-probabilities. What the batch is, decides the caller: the trainer
// gives all records of a step, batch_loss() what it is given. Host only.
template <class O>
concept CoupledObjective = ScalarRule<O> && ObjectiveState<typename O::State> &&
    requires(const O o, const typename O::State s, std::span<const Pair<float>> x,
             std::span<PairLoss<float>> g, std::span<const Pair<double>> y, std::span<PairLoss<double>> h) {
  { o.advanced(s, x) } -> std::same_as<typename O::State>;
  { o.advanced(s, y) } -> std::same_as<typename O::State>;
  o.losses(x, s, g);
  o.losses(y, s, h);
  { O::needs } -> std::convertible_to<Needs>;
};

template <class O>
concept Objective = ScalarRule<O> &&(PreferenceObjective<O> || CoupledObjective<O>);

// An objective with an implicit reward, which short-to-long alignment can compare across prompts.
template <class O>
concept RewardObjective = Objective<O> && requires(const O o) {
  { o.reward() }
  noexcept->ImplicitReward;
};

// A reward objective that is a function of two rewards' difference and can be given another reward.
template <class O>
concept MarginObjective = PreferenceObjective<O> && RewardObjective<O> &&
    requires(const O o, Pair<float> x, Pair<double> y) {
  { o.with_reward(o.reward(), x) }
  noexcept->std::same_as<PairLoss<float>>;
  { o.with_reward(o.reward(), y) }
  noexcept->std::same_as<PairLoss<double>>;
};

// The state of any objective, NoState of one that has none.
template <class O>
struct StateOfObjective {
  using type = NoState;
};
template <class O>
requires requires { typename O::State; }
struct StateOfObjective<O> {
  using type = typename O::State;
};
template <class O>
using StateOf = typename StateOfObjective<O>::type;

// What the third response of a Pair is to an objective.
template <class O>
inline constexpr ThirdResponse third_of = ThirdResponse::none;
template <class O>
requires requires {
  { O::third } -> std::convertible_to<ThirdResponse>;
}
inline constexpr ThirdResponse third_of<O> = O::third;

// What the statistic of its responses is to an objective.
template <class O>
inline constexpr Statistic statistic_of = Statistic::none;
template <class O>
requires requires {
  { O::statistic } -> std::convertible_to<Statistic>;
}
inline constexpr Statistic statistic_of<O> = O::statistic;

// Whether an objective holds a part of its loss fixed: its derivatives are then not all of its loss's.
template <class O>
inline constexpr bool is_semi_gradient = false;
template <class O>
requires requires {
  { O::is_semi_gradient } -> std::convertible_to<bool>;
}
inline constexpr bool is_semi_gradient<O> = O::is_semi_gradient;

}  // namespace solopo
