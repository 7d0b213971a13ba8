// SoLoPO: a preference objective on the short prompt plus short-to-long reward alignment (SoLo-RA).
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "solopo/alignment/distance.hpp"
#include "solopo/alignment/scope.hpp"
#include "solopo/core/concepts.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/core/option.hpp"
#include "solopo/core/select.hpp"

namespace solopo {

// What the alignment term saw in one pair, for metrics. All without alpha.
template <class T>
struct Alignment {
  T reward_short{}, reward_long{};  // of the chosen response
  T gap{};                          // reward_short - reward_long, signed
  T loss{};                         // s(gap), plus the rejected response's when both are aligned
};

// base(short pair) + alpha s(r(short, chosen) - r(long, chosen)), r the base's own reward, s the distance.
// arXiv 2505.11166. AlignBoth adds alpha s(r(short, rejected) - r(long, rejected)).
// alpha >= 0; the paper uses 3 with DPO, 1 with SimPO and ORPO, and it must be tuned.
// With stop_short_gradient the alignment term gives no gradient to the short side: it can then close the gap
// only by raising or lowering the long reward. The loss value stays exact, the gradient is a semi-gradient.
template <RewardObjective Base, Distance D = Absolute, AlignmentScope Scope = AlignChosen>
struct SoLoPO {
  Base base{};
  float alpha = 1.0f;
  D distance{};
  bool stop_short_gradient = false;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit_options(self.base, visit);
    visit("alpha", self.alpha, at_least(0.0f));
    visit_options(self.distance, visit);
    visit("stop_short_gradient", self.stop_short_gradient);
  }

  using Reward = decltype(std::declval<const Base&>().reward());

  // Of records with one response, AlignChosen aligns the desirable ones and AlignBoth all.
  static constexpr bool labelled = has(Base::needs, Needs::label);
  static constexpr bool aligns_rejected = Scope::rejected && !labelled;
  static constexpr Needs needs =
      Base::needs | needs_of_responses(Needs::chosen | Needs::chosen_long, Reward::reads_reference) |
      (aligns_rejected ? needs_of_responses(Needs::rejected | Needs::rejected_long, Reward::reads_reference)
                       : Needs::none);
  static constexpr ThirdResponse third = third_of<Base>;
  static constexpr Statistic statistic = statistic_of<Base>;
  static constexpr bool is_semi_gradient = solopo::is_semi_gradient<Base>;
  using State = StateOf<Base>;
  SOLOPO_HD constexpr Reward reward() const noexcept { return base.reward(); }
  SOLOPO_HD constexpr auto logged_reward() const noexcept requires requires(const Base& b) {
    b.logged_reward();
  }
  { return base.logged_reward(); }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept requires PreferenceObjective<Base> {
    PairLoss<T> g = base(p);
    align(p, g);
    return g;
  }

  // Of a base that couples the pairs of a batch; the alignment is each pair's own.
  template <class T>
  State advanced(const State& state, std::span<const Pair<T>> pairs) const requires CoupledObjective<Base> {
    return base.advanced(state, pairs);
  }
  template <class T>
  void losses(std::span<const Pair<T>> pairs, const State& state,
              std::span<PairLoss<T>> out) const requires CoupledObjective<Base> {
    base.losses(pairs, state, out);
    for (std::size_t i = 0; i < pairs.size(); ++i) align(pairs[i], out[i]);
  }

  // Whether this pair's alignment counts.
  template <class T>
  SOLOPO_HD constexpr bool aligns(const Pair<T>& p) const noexcept {
    return !labelled || Scope::rejected || p.label > T(0);
  }

  template <class T>
  SOLOPO_HD Alignment<T> alignment(const Pair<T>& p) const noexcept {
    const Reward r = reward();
    Alignment<T> a;
    a.reward_short = r.value(p.chosen);
    a.reward_long = r.value(p.chosen_long);
    a.gap = exact_difference(a.reward_short, a.reward_long);
    a.loss = distance.value(a.gap);
    if constexpr (aligns_rejected)
      a.loss += distance.value(exact_difference(r.value(p.rejected), r.value(p.rejected_long)));
    return a;
  }

 private:
  template <class T>
  SOLOPO_HD void align(const Pair<T>& p, PairLoss<T>& g) const noexcept {
    if (!aligns(p)) return;
    align(p.chosen, p.chosen_long, g, g.chosen, g.chosen_long, 0);
    if constexpr (aligns_rejected) align(p.rejected, p.rejected_long, g, g.rejected, g.rejected_long, 1);
  }

  // Adds alpha s(d), d = r(brief) - r(lengthy), to loss and its derivatives to those of the two responses,
  // `role` being the place of the brief one and role + 2 that of the lengthy one in response_roles.
  template <class T>
  SOLOPO_HD void align(const Response<T>& brief, const Response<T>& lengthy, PairLoss<T>& g, T& d_brief,
                       T& d_lengthy, [[maybe_unused]] unsigned role) const noexcept {
    const Reward r = reward();
    const T d = exact_difference(r.value(brief), r.value(lengthy));
    const T slope = T(alpha) * distance.slope(d);
    g.loss += T(alpha) * distance.value(d);
    d_brief += select(stop_short_gradient, T(0), slope * r.slope(brief));
    d_lengthy -= slope * r.slope(lengthy);
    if constexpr (requires { r.statistic_slope(brief); }) {
      g.by_statistic[role] += select(stop_short_gradient, T(0), slope * r.statistic_slope(brief));
      g.by_statistic[role + 2] -= slope * r.statistic_slope(lengthy);
    }
  }
};

}  // namespace solopo
