// AdamW (arXiv 1711.05101, algorithm 2, in PyTorch's form) of one weight: what every backend's optimiser
// does.
#pragma once

#include <cmath>
#include <cstdint>

#include "solopo/core/config.hpp"
#include "solopo/core/error.hpp"

namespace solopo {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;     // decoupled: weights shrink by rate * weight_decay each step
  bool decay_vectors = false;  // also norms and biases, that is tensors of one dimension
};

// Throws ArgumentError when a setting is out of range.
inline void check_adamw(const AdamWOptions& options) {
  const auto share = [](const char* name, double value) {
    if (!(value >= 0 && value < 1)) throw ArgumentError(name, "must be in [0, 1)");
  };
  share("beta1", options.beta1);
  share("beta2", options.beta2);
  if (!(options.epsilon > 0)) throw ArgumentError("epsilon", "must be above 0");
  if (!(options.weight_decay >= 0) || !std::isfinite(options.weight_decay)) {
    throw ArgumentError("weight_decay", "must be 0 or more");
  }
}

// The numbers of one step.
struct AdamWRule {
  float beta1, rest1, beta2, rest2, rate, root, epsilon, scale;
  float decay;  // what weights that decay are multiplied by
};

// Of the update number `step` (from 1) at learning rate `rate`, with gradients times `scale`.
[[nodiscard]] inline AdamWRule adamw_rule(const AdamWOptions& options, std::int64_t step, double rate,
                                          float scale) {
  const double t = static_cast<double>(step);
  const double correction1 = 1 - std::pow(options.beta1, t);
  const double correction2 = 1 - std::pow(options.beta2, t);
  return {.beta1 = static_cast<float>(options.beta1),
          .rest1 = static_cast<float>(1 - options.beta1),
          .beta2 = static_cast<float>(options.beta2),
          .rest2 = static_cast<float>(1 - options.beta2),
          .rate = static_cast<float>(rate / correction1),
          .root = static_cast<float>(1 / std::sqrt(correction2)),
          .epsilon = static_cast<float>(options.epsilon),
          .scale = scale,
          .decay = static_cast<float>(1 - rate * options.weight_decay)};
}

// The running means of a weight's gradient and of its square.
SOLOPO_HD inline void adamw_means(const AdamWRule& r, float gradient, float& first, float& second) noexcept {
  const float g = gradient * r.scale;
  first = r.beta1 * first + r.rest1 * g;
  second = r.beta2 * second + r.rest2 * g * g;
}

// The weight after them, given the root of the second; keep is 1 or the rule's decay.
SOLOPO_HD inline float adamw_weight(const AdamWRule& r, float keep, float weight, float first,
                                    float root_of_second) noexcept {
  return weight * keep - r.rate * first / (root_of_second * r.root + r.epsilon);
}

// Both.
SOLOPO_HD inline void adamw_update(const AdamWRule& r, float keep, float gradient, float& weight,
                                   float& first, float& second) noexcept {
  adamw_means(r, gradient, first, second);
  weight = adamw_weight(r, keep, weight, first, std::sqrt(second));
}

}  // namespace solopo
