// Intervals for what an evaluation measures: Wilson's for a share, the percentile bootstrap for a mean.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/random.hpp"

namespace solopo::cli {

struct Interval {
  double value = 0, low = 0, high = 0;
};

constexpr double normal_quantile_975 = 1.959963984540054;

// Wilson's score interval (Wilson 1927), 95 % unless z says otherwise: right where the usual one fails, at
// shares near 0 and 1. Throws ArgumentError unless 0 <= successes <= n and n > 0.
inline Interval wilson(std::int64_t successes, std::int64_t n, double z = normal_quantile_975) {
  if (n <= 0) throw ArgumentError("n", "must be above 0");
  if (successes < 0 || successes > n) throw ArgumentError("successes", "must lie between 0 and n");
  const double count = static_cast<double>(n), p = static_cast<double>(successes) / count;
  const double scale = 1 / (1 + z * z / count), middle = scale * (p + z * z / (2 * count));
  const double half = scale * z * std::sqrt(p * (1 - p) / count + z * z / (4 * count * count));
  return {.value = p,
          .low = successes == 0 ? 0 : std::max(0.0, middle - half),
          .high = successes == n ? 1 : std::min(1.0, middle + half)};
}

inline double mean(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// The value below which a share q of the sorted values lies, linear between neighbours.
inline double quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) throw ArgumentError("sorted", "is empty");
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

struct BootstrapOptions {
  std::int64_t resamples = 10000;
  double confidence = 0.95;
  std::uint64_t seed = 0;
};

// Mean of the values with the percentile bootstrap's interval (Efron 1979). Given the differences of two
// models on the same questions, this is the paired bootstrap. The same seed and values give the same bits.
inline Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {}) {
  if (values.empty()) throw ArgumentError("values", "is empty");
  if (options.resamples < 1) throw ArgumentError("resamples", "must be at least 1");
  if (!(options.confidence > 0 && options.confidence < 1))
    throw ArgumentError("confidence", "must lie between 0 and 1");
  const double n = static_cast<double>(values.size());
  std::vector<double> means(static_cast<std::size_t>(options.resamples));
  RandomStream random(options.seed, "bootstrap");
  for (double& m : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[random.below(values.size())];
    m = sum / n;
  }
  std::sort(means.begin(), means.end());
  const double tail = (1 - options.confidence) / 2;
  return {.value = mean(values), .low = quantile(means, tail), .high = quantile(means, 1 - tail)};
}

}  // namespace solopo::cli
