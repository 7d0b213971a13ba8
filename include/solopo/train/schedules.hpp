// The learning rate of a step: warmup to the peak, then constant, a straight line or half a cosine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

#include "solopo/core/error.hpp"

namespace solopo {

enum class ScheduleShape { constant, linear, cosine };

// The shape of that name; nothing when there is none.
[[nodiscard]] inline std::optional<ScheduleShape> find_schedule_shape(std::string_view name) noexcept {
  if (name == "constant") return ScheduleShape::constant;
  if (name == "linear") return ScheduleShape::linear;
  if (name == "cosine") return ScheduleShape::cosine;
  return std::nullopt;
}

[[nodiscard]] constexpr std::string_view schedule_name(ScheduleShape shape) noexcept {
  switch (shape) {
    case ScheduleShape::constant:
      return "constant";
    case ScheduleShape::linear:
      return "linear";
    case ScheduleShape::cosine:
      break;
  }
  return "cosine";
}

// Rate of step s of N (0-based) with W steps of warmup:
//   s < W:  peak * (s + 1) / (W + 1), so the first step already moves and step W is the peak;
//   else with u = (s - W) / (N - W) in [0, 1):  constant 1, linear 1 - u, cosine (1 + cos(pi u)) / 2,
//   scaled from [0, 1] to [minimum_ratio, 1] times the peak.
struct Schedule {
  double peak = 2e-5;
  ScheduleShape shape = ScheduleShape::cosine;
  std::int64_t warmup_steps = 0;
  std::int64_t steps = 1;
  double minimum_ratio = 0;  // of the peak, what the shape ends at

  [[nodiscard]] double operator()(std::int64_t step) const {
    if (step < warmup_steps) {
      return peak * (static_cast<double>(step + 1) / static_cast<double>(warmup_steps + 1));
    }
    const double span = static_cast<double>(std::max<std::int64_t>(steps - warmup_steps, 1));
    const double u = std::min(1.0, static_cast<double>(step - warmup_steps) / span);
    double share = 1;
    if (shape == ScheduleShape::linear) share = 1 - u;
    if (shape == ScheduleShape::cosine) share = 0.5 * (1 + std::cos(3.14159265358979323846 * u));
    return peak * (minimum_ratio + (1 - minimum_ratio) * share);
  }
};

// `warmup` below 1 is a share of the steps (rounded up), from 1 on a number of steps.
// Throws ArgumentError when it is negative, not finite, or not below `steps` (`steps` above 1).
[[nodiscard]] inline std::int64_t warmup_steps(double warmup, std::int64_t steps) {
  if (!(warmup >= 0) || !std::isfinite(warmup)) throw ArgumentError("warmup", "must be 0 or more");
  const double wanted = warmup < 1 ? std::ceil(warmup * static_cast<double>(steps)) : std::floor(warmup);
  if (wanted > 0 && wanted >= static_cast<double>(steps)) {
    if (warmup < 1) return std::max<std::int64_t>(steps - 1, 0);
    throw ArgumentError("warmup",
                        "takes all " + std::to_string(steps) + " steps; use fewer, or train longer");
  }
  return static_cast<std::int64_t>(wanted);
}

}  // namespace solopo
