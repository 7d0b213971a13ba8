// What every objective that couples the pairs of a batch has to pass.
#pragma once

#include <span>
#include <vector>

#include "objective_checks.hpp"

namespace rule_checks {

template <class T, class O>
std::vector<PairLoss<T>> batch_losses(const O& objective, const std::vector<Pair<T>>& pairs,
                                      const StateOf<O>& state) {
  std::vector<PairLoss<T>> out(pairs.size());
  objective.losses(std::span<const Pair<T>>(pairs), state, std::span<PairLoss<T>>(out));
  return out;
}

template <class O>
std::vector<PairLoss<double>> losses_of(const O& objective, const std::vector<Pair<double>>& pairs,
                                        const StateOf<O>& state) {
  return batch_losses<double>(objective, pairs, state);
}

// What a semi-gradient holds fixed, so that differences of the loss cannot show it.
struct Fixed {
  bool third_is_fixed = false;      // the third response moves the loss, without a derivative
  bool reference_is_fixed = false;  // these options do not read the reference
  bool drift_is_fixed = false;      // chosen and rejected also move what is held fixed
};

// Derivatives of the summed loss against central differences, needs that are honest, float against double.
template <class O>
void check_coupled(const O& objective, const std::vector<Pair<double>>& pairs, Fixed fixed) {
  const StateOf<O> state = objective.advanced({}, std::span<const Pair<double>>(pairs));
  const auto sum = [&](const std::vector<Pair<double>>& p) {
    double out = 0;
    for (const PairLoss<double>& g : losses_of(objective, p, state)) out += g.loss;
    return out;
  };
  const std::vector<PairLoss<double>> g = losses_of(objective, pairs, state);
  bool moves = false;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (unsigned r = 0; r < role_count; ++r) {
      const auto at = [&](double logp) {
        std::vector<Pair<double>> q = pairs;
        (q[i].*role_of_pair<double>[r]).logp = logp;
        return sum(q);
      };
      const double slope = g[i].*role_of_loss<double>[r];
      moves = moves || slope != 0;
      CHECK(has(O::needs, response_roles[r].response) >= (slope != 0));
      if (fixed.drift_is_fixed || (fixed.third_is_fixed && r == 4)) continue;
      CHECK(relative_error(slope, central_difference(at, (pairs[i].*role_of_pair<double>[r]).logp)) <= 1e-6);
    }
  }
  CHECK(moves);

  std::vector<Pair<double>> hidden;
  for (const Pair<double>& p : pairs) hidden.push_back(poisoned(p, O::needs));
  const auto same_losses = [&](const std::vector<Pair<double>>& p) {
    const auto h = losses_of(objective, p, state);
    for (std::size_t i = 0; i < h.size(); ++i)
      if (!same(g[i], h[i])) return false;
    return true;
  };
  CHECK(same_losses(hidden));
  for (const Needs bit : bits_of_needs()) {
    bool matters = false;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      std::vector<Pair<double>> q = pairs;
      q[i] = changed(q[i], bit);
      matters = matters || !same_losses(q);
    }
    INFO("bit " << static_cast<unsigned>(bit));
    if (!(fixed.reference_is_fixed && has_any(bit, Needs::ref_chosen | Needs::ref_rejected)))
      CHECK(matters == has(O::needs, bit));
  }

  std::vector<Pair<float>> narrow;
  std::vector<Pair<double>> wide;
  for (const Pair<double>& p : pairs) {
    narrow.push_back(converted<float>(p));
    wide.push_back(converted<double>(narrow.back()));
  }
  const auto a = batch_losses<float>(objective, narrow, state);
  const auto b = batch_losses<double>(objective, wide, state);
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(relative_error(a[i].loss, b[i].loss, 1) <= 2e-5);
    for (unsigned r = 0; r < role_count; ++r)
      CHECK(relative_error(a[i].*role_of_loss<float>[r], b[i].*role_of_loss<double>[r], 1) <= 2e-5);
  }
}

}  // namespace rule_checks
