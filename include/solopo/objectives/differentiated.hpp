// An objective from its loss alone: dual numbers supply the derivatives, on the host and on the device.
#pragma once

#include <concepts>

#include "solopo/core/concepts.hpp"
#include "solopo/core/dual.hpp"

namespace solopo {

// `Loss` is a named struct with `auto operator()(auto p) const` that computes the loss of a Pair with + - * /
// and the functions of dual.hpp (called without `std::`), annotated SOLOPO_HD for use in a kernel. It says
// what it reads in `static constexpr Needs needs`; without that it is taken to read chosen, rejected and
// their references. A `reward()` of the loss is passed on, so that SoLoPO<Differentiated<Loss>> works, and so
// are `third` and `statistic`.
template <ScalarRule Loss>
struct Differentiated {
  Loss rule{};

  static constexpr Needs needs = [] {
    if constexpr (requires {
                    { Loss::needs } -> std::convertible_to<Needs>;
                  }) {
      return Needs{Loss::needs};
    } else {
      return needs_of_responses(Needs::chosen | Needs::rejected, true);
    }
  }();
  static constexpr Statistic statistic = statistic_of<Loss>;
  static constexpr ThirdResponse third = third_of<Loss>;
  SOLOPO_HD constexpr auto reward() const noexcept requires requires(const Loss& l) { l.reward(); }
  { return rule.reward(); }
  SOLOPO_HD constexpr auto logged_reward() const noexcept requires requires(const Loss& l) {
    l.logged_reward();
  }
  { return rule.logged_reward(); }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    using D = Dual<T, 2 * role_count>;
    const auto variable = [](const Response<T>& y, unsigned role) {
      return Response<D>{.logp = D::variable(y.logp, static_cast<int>(role)),
                         .ref_logp = D(y.ref_logp),
                         .length = D(y.length),
                         .statistic = D::variable(y.statistic, static_cast<int>(role_count + role)),
                         .ref_statistic = D(y.ref_statistic)};
    };
    const Pair<D> variables{.chosen = variable(p.chosen, 0),
                            .rejected = variable(p.rejected, 1),
                            .chosen_long = variable(p.chosen_long, 2),
                            .rejected_long = variable(p.rejected_long, 3),
                            .third = variable(p.third, 4),
                            .score_chosen = D(p.score_chosen),
                            .score_rejected = D(p.score_rejected),
                            .label = D(p.label),
                            .mean_length = D(p.mean_length)};
    const D loss = rule(variables);
    PairLoss<T> g{loss.value, loss.slope[0], loss.slope[1], loss.slope[2], loss.slope[3], loss.slope[4]};
    for (unsigned r = 0; r < role_count; ++r) g.by_statistic[r] = loss.slope[role_count + r];
    return g;
  }
};

}  // namespace solopo
