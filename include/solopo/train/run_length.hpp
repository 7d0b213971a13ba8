// How many optimiser steps and records a run takes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "solopo/core/error.hpp"

namespace solopo {

struct RunLength {
  std::int64_t steps = 0;    // optimiser steps
  std::uint64_t places = 0;  // records in all; the last step takes what is left
};

// `max_steps` above 0: that many full steps. Else `epochs` passes over the records; a step may cross the edge
// of an epoch, and only the last one may be smaller. Throws ArgumentError when there would be no step.
[[nodiscard]] inline RunLength run_length(std::size_t records, std::size_t batch_size, double epochs,
                                          std::int64_t max_steps) {
  if (records == 0) throw ArgumentError("records", "must not be empty");
  if (batch_size == 0) throw ArgumentError("batch_size", "must be 1 or more");
  if (max_steps > 0) return {max_steps, static_cast<std::uint64_t>(max_steps) * batch_size};
  if (!(epochs > 0) || !std::isfinite(epochs)) throw ArgumentError("epochs", "must be above 0");
  const double wanted = std::round(epochs * static_cast<double>(records));
  if (wanted < 1 || wanted > 1e15) throw ArgumentError("epochs", "gives no sensible number of records");
  const auto places = static_cast<std::uint64_t>(wanted);
  return {static_cast<std::int64_t>((places + batch_size - 1) / batch_size), places};
}

}  // namespace solopo
