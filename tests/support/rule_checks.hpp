// Checks that every scalar rule has to pass: slopes against central differences and dual numbers, convexity,
// honest needs, float against double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "solopo/core/concepts.hpp"
#include "solopo/core/dual.hpp"
#include "solopo/core/random.hpp"

namespace rule_checks {

using namespace solopo;

// df/dx by the five-point stencil; error about step^4 and 1e-16 |f| / step.
template <class F>
double central_difference(F f, double x, double step = 1e-3) {
  return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step);
}

// |a - b| against the larger of |b| and a floor that keeps a slope near 0 from asking for more digits than
// exist.
inline double relative_error(double a, double b, double floor = 1e-3) {
  return std::abs(a - b) / std::max(std::abs(b), floor);
}

// A response of 1 to 40 tokens with -0.02 to -3 nats each and a reference up to 4 nats away.
inline Response<double> random_response(RandomStream& draw) {
  const double length = 1 + static_cast<double>(draw.below(40));
  const double logp = -length * (0.02 + 2.98 * draw.uniform());
  return {logp, logp + 8 * draw.uniform() - 4, length};
}

inline std::vector<Pair<double>> random_pairs(std::size_t n, std::uint64_t seed = 1) {
  std::vector<Pair<double>> out;
  for (std::size_t i = 0; i < n; ++i) {
    RandomStream draw(seed, "pairs", i);
    Pair<double> p;
    for (const auto role : role_of_pair<double>) p.*role = random_response(draw);
    p.score_rejected = 10 * draw.uniform();
    p.score_chosen = p.score_rejected + 0.1 + 4 * draw.uniform();
    p.label = i % 2 == 0 ? 1 : 0;
    p.mean_length = 1 + 40 * draw.uniform();
    for (const auto role : role_of_pair<double>) {
      Response<double>& y = p.*role;
      y.statistic = y.logp * 1.5 * draw.uniform();
      y.ref_statistic = y.ref_logp * draw.uniform();
    }
    out.push_back(p);
  }
  return out;
}

// The number of a response that a derivative is by: its log-probability or its statistic.
template <class T>
T& variable(Pair<T>& p, unsigned role, bool statistic) {
  Response<T>& y = p.*role_of_pair<T>[role];
  return statistic ? y.statistic : y.logp;
}
inline double derivative(const PairLoss<double>& g, unsigned role, bool statistic) {
  return statistic ? g.by_statistic[role] : g.*role_of_loss<double>[role];
}

// Largest relative error of an objective's gradient against central differences of its loss. Pairs within
// reach of a kink must not be given.
template <class O>
double difference_error(const O& objective, const Pair<double>& p) {
  double worst = 0;
  const PairLoss<double> g = objective(p);
  for (const bool statistic : {false, true}) {
    for (unsigned r = 0; r < role_count; ++r) {
      Pair<double> q = p;
      double& x = variable(q, r, statistic);
      const double at = x;
      const auto loss_at = [&](double value) {
        x = value;
        return objective(q).loss;
      };
      worst = std::max(worst, relative_error(derivative(g, r, statistic), central_difference(loss_at, at)));
    }
  }
  return worst;
}

// The same against dual numbers sent through the objective's own loss.
template <class O>
double dual_error(const O& objective, const Pair<double>& p) {
  double worst = 0;
  const PairLoss<double> g = objective(p);
  for (const bool statistic : {false, true}) {
    for (unsigned r = 0; r < role_count; ++r) {
      using D = Dual<double>;
      Pair<D> q = converted<D>(p);
      D& x = variable(q, r, statistic);
      x = D::variable(x.value);
      worst = std::max(worst, relative_error(derivative(g, r, statistic), objective(q).loss.slope[0], 1e-9));
    }
  }
  return worst;
}

// Whether a step over loss's kink lies within `reach` of this pair, as seen by the jump of the gradient.
template <class O>
bool near_kink(const O& objective, const Pair<double>& p, double reach = 0.02) {
  const PairLoss<double> g = objective(p);
  for (unsigned r = 0; r < role_count; ++r) {
    for (const double step : {-reach, reach}) {
      Pair<double> q = p;
      (q.*role_of_pair<double>[r]).logp += step;
      const PairLoss<double> h = objective(q);
      for (unsigned k = 0; k < role_count; ++k) {
        const double a = g.*role_of_loss<double>[k], b = h.*role_of_loss<double>[k];
        if (std::abs(a - b) > 0.2 * std::max(std::abs(a), std::abs(b)) + 1e-6) return true;
      }
    }
  }
  return false;
}

// Flips one derivative: what a wrong sign would look like. The gradient checks must fail on it.
template <class O>
struct WrongSign {
  O right{};
  template <class T>
  PairLoss<T> operator()(const Pair<T>& p) const {
    PairLoss<T> g = right(p);
    g.chosen = -g.chosen;
    return g;
  }
};

// The pair with NaN wherever `needs` does not reach.
inline Pair<double> poisoned(Pair<double> p, Needs needs) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (unsigned r = 0; r < role_count; ++r) {
    Response<double>& y = p.*role_of_pair<double>[r];
    if (!has(needs, response_roles[r].response)) y.logp = y.length = nan;
    if (!has(needs, response_roles[r].reference)) y.ref_logp = nan;
    if (!has(needs, response_roles[r].response | Needs::statistic)) y.statistic = nan;
    if (!has(needs, response_roles[r].reference | Needs::ref_statistic)) y.ref_statistic = nan;
  }
  if (!has(needs, Needs::scores)) p.score_chosen = p.score_rejected = nan;
  if (!has(needs, Needs::label)) p.label = nan;
  if (!has(needs, Needs::mean_length)) p.mean_length = nan;
  return p;
}

inline bool same(const PairLoss<double>& a, const PairLoss<double>& b) {
  for (const auto role : role_of_loss<double>)
    if (a.*role != b.*role) return false;
  return a.loss == b.loss && std::equal(a.by_statistic, a.by_statistic + role_count, b.by_statistic);
}

// The pair with what one bit of Needs stands for changed.
inline Pair<double> changed(Pair<double> p, Needs bit) {
  for (unsigned r = 0; r < role_count; ++r) {
    Response<double>& y = p.*role_of_pair<double>[r];
    if (bit == response_roles[r].response) y.logp -= 0.75;
    if (bit == response_roles[r].reference) y.ref_logp -= 0.75;
    if (bit == Needs::statistic) y.statistic -= 0.5 + r;
    if (bit == Needs::ref_statistic) y.ref_statistic -= 0.5 + r;  // a margin of equal changes would hide it
  }
  if (bit == Needs::scores) p.score_chosen += 0.75;
  if (bit == Needs::label) p.label = 1 - p.label;
  return p;
}

// All bits of Needs that an objective's loss must depend on when it has them; a mean length is read only when
// an option asks for it.
inline std::vector<Needs> bits_of_needs() {
  std::vector<Needs> out = {Needs::scores, Needs::label, Needs::statistic, Needs::ref_statistic};
  for (const ResponseRole& role : response_roles) {
    out.push_back(role.response);
    out.push_back(role.reference);
  }
  return out;
}

// f at 0.5 (x + y) lies on or below the chord, for x and y on a grid over [-reach, reach].
template <class F>
bool convex_on_grid(const F& f, double reach, int steps = 200) {
  const auto at = [&](int i) { return -reach + 2 * reach * i / steps; };
  for (int i = 0; i <= steps; ++i) {
    for (int j = i; j <= steps; j += 2) {
      const double chord = 0.5 * (f.value(at(i)) + f.value(at(j)));
      if (f.value(0.5 * (at(i) + at(j))) > chord + 1e-12 * std::max(1.0, std::abs(chord))) return false;
    }
  }
  return true;
}

// f(a + b + c) <= (f(3a) + f(3b) + f(3c)) / 3: the bound behind SoLoPO's decoupling, Jensen's for a convex
// link.
template <class F>
bool jensen_bound_holds(const F& f) {
  RandomStream draw(3, "jensen");
  for (int i = 0; i < 2000; ++i) {
    const double a = 4 * draw.normal(), b = 4 * draw.normal(), c = 4 * draw.normal();
    const double bound = (f.value(3 * a) + f.value(3 * b) + f.value(3 * c)) / 3;
    if (f.value(a + b + c) > bound + 1e-12 * std::max(1.0, std::abs(bound))) return false;
  }
  return true;
}

// Slope of a link against central differences and duals at points that are no kinks.
template <class F>
double link_slope_error(const F& f, std::initializer_list<double> points) {
  double worst = 0;
  for (const double z : points) {
    worst = std::max(worst,
                     relative_error(f.slope(z), central_difference([&](double x) { return f.value(x); }, z)));
    worst = std::max(worst,
                     relative_error(f.slope(z), f.value(Dual<double>::variable(z)).slope[0], 1e-300 + 1e-12));
  }
  return worst;
}

// Largest difference between a link in float and in double, relative to the larger of 1 and the value.
template <class F>
double link_float_error(const F& f, std::initializer_list<double> points) {
  double worst = 0;
  for (const double z : points) {
    const auto x = static_cast<float>(z);
    worst = std::max(worst, relative_error(f.value(x), f.value(static_cast<double>(x)), 1));
    worst = std::max(worst, relative_error(f.slope(x), f.slope(static_cast<double>(x)), 1));
  }
  return worst;
}

// Slope of a reward by logp, the same two ways.
template <class R>
double reward_slope_error(const R& r, const Response<double>& y) {
  const auto at = [&](double logp) { return r.value(Response<double>{logp, y.ref_logp, y.length}); };
  using D = Dual<double>;
  const D dual = r.value(Response<D>{D::variable(y.logp), D(y.ref_logp), D(y.length)});
  return std::max(relative_error(r.slope(y), central_difference(at, y.logp, 1e-4)),
                  relative_error(r.slope(y), dual.slope[0], 1e-9));
}

}  // namespace rule_checks
