// Exponential moving averages of a batch statistic's mean and standard deviation.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "solopo/core/response.hpp"

namespace solopo {

// Both start at 0, and a batch counts with a tenth. The deviation of a batch is the unbiased one, 0 for a
// single pair. What alpha-DPO and beta-DPO keep of their margins, in their authors' programs.
struct MovingMoments {
  double mean = 0, deviation = 0;

  template <class Self, class Visit>
  static constexpr void each_field(Self& self, Visit&& visit) {
    visit("mean", self.mean);
    visit("deviation", self.deviation);
  }

  // Deviations of x from the mean; 0 while the deviation is 0.
  [[nodiscard]] double normalised(double x) const noexcept {
    return deviation > 0 ? (x - mean) / deviation : 0;
  }

  // After a batch, value(pair) being the statistic.
  template <class T, class Value>
  [[nodiscard]] MovingMoments after(std::span<const Pair<T>> pairs, Value value) const {
    if (pairs.empty()) return *this;
    const auto n = static_cast<double>(pairs.size());
    double sum = 0, squares = 0;
    for (const Pair<T>& p : pairs) sum += static_cast<double>(value(p));
    for (const Pair<T>& p : pairs) {
      const double d = static_cast<double>(value(p)) - sum / n;
      squares += d * d;
    }
    const double spread = pairs.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
    MovingMoments next = *this;
    next.mean += (sum / n - mean) / 10;
    next.deviation += (spread - deviation) / 10;
    return next;
  }
};

}  // namespace solopo
