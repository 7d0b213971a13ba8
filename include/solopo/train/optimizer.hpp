// AdamW (arXiv 1711.05101, algorithm 2, in PyTorch's form) on one flat buffer of float32 weights, and
// clipping by the global norm. Element by element and in fixed chunks: the bits do not depend on the number
// of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "solopo/core/config.hpp"
#include "solopo/core/error.hpp"
#include "solopo/kernels/adamw_rule.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/square_root.hpp"
#include "solopo/model/llama_weights.hpp"

#if SOLOPO_FINITE_MATH
#error \
    "training checks for NaN and infinity, which -ffast-math removes; define SOLOPO_ALLOW_FINITE_MATH to insist"
#endif

namespace solopo {

// Euclidean norm of all gradients, summed in double over chunks of 4,096. NaN or infinity when one is there.
[[nodiscard]] inline double global_norm(std::span<const float> gradients) {
  constexpr std::size_t chunk = 4096;
  const auto chunks = static_cast<std::ptrdiff_t>((gradients.size() + chunk - 1) / chunk);
  std::vector<double> sums(static_cast<std::size_t>(chunks));
  kernels::parallel_ranges(chunks, 8, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t c = first; c < last; ++c) {
      const std::size_t begin = static_cast<std::size_t>(c) * chunk;
      const std::size_t end = std::min(begin + chunk, gradients.size());
      double lanes[8] = {};  // independent sums, so the compiler may use vectors
      for (std::size_t i = begin; i < end; ++i) {
        lanes[i % 8] += static_cast<double>(gradients[i]) * static_cast<double>(gradients[i]);
      }
      sums[static_cast<std::size_t>(c)] =
          ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

// What gradients are multiplied by so that their norm is at most `limit`; 1 when it is, or when limit is 0.
[[nodiscard]] inline float clip_scale(double norm, double limit) noexcept {
  return limit > 0 && norm > limit ? static_cast<float>(limit / (norm + 1e-6)) : 1.0f;
}

class AdamW {
 public:
  // Throws ArgumentError when a setting is out of range.
  AdamW(std::span<const TensorSlot> slots, std::size_t size, AdamWOptions options = {})
      : slots_(slots.begin(), slots.end()), options_(options), first_(size), second_(size) {
    check_adamw(options);
  }

  // One update of `weights` with `gradients * scale` at learning rate `rate`. Both have the buffer's size.
  void step(std::span<float> weights, std::span<const float> gradients, double rate, float scale = 1) {
    if (weights.size() != first_.size())
      throw ArgumentError("weights", "have another size than the optimiser");
    if (gradients.size() != first_.size()) {
      throw ArgumentError("gradients", "have another size than the optimiser");
    }
    ++steps_;
    const AdamWRule rule = adamw_rule(options_, steps_, rate, scale);
    for (const TensorSlot& slot : slots_) {
      const bool decayed = options_.decay_vectors || slot.shape.size() > 1;
      const float keep = decayed ? rule.decay : 1.0f;
      update(rule, keep, weights.data() + slot.offset, gradients.data() + slot.offset,
             first_.data() + slot.offset, second_.data() + slot.offset, slot.size);
    }
  }

  // State, for checkpoints: running means of gradients and of their squares, and the updates made.
  [[nodiscard]] std::span<float> first() noexcept { return first_; }
  [[nodiscard]] std::span<const float> first() const noexcept { return first_; }
  [[nodiscard]] std::span<float> second() noexcept { return second_; }
  [[nodiscard]] std::span<const float> second() const noexcept { return second_; }
  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }
  void set_steps(std::int64_t steps) noexcept { steps_ = steps; }

 private:
  // Chunks have a fixed size, so an element is met in the same vector lane whatever the number of threads.
  static void update(const AdamWRule& r, float keep, float* weights, const float* gradients, float* first,
                     float* second, std::size_t size) {
    constexpr std::size_t chunk = 4096;
    const auto chunks = static_cast<std::ptrdiff_t>((size + chunk - 1) / chunk);
    kernels::parallel_ranges(chunks, 8, [&](std::ptrdiff_t from, std::ptrdiff_t to) {
      for (std::ptrdiff_t c = from; c < to; ++c) {
        const std::size_t begin = static_cast<std::size_t>(c) * chunk;
        update_chunk(r, keep, weights + begin, gradients + begin, first + begin, second + begin,
                     std::min(chunk, size - begin));
      }
    });
  }

  static void update_chunk(const AdamWRule& r, float keep, float* weights, const float* gradients,
                           float* first, float* second, std::size_t size) {
    constexpr std::size_t block = 256;  // whose roots stay in the first cache
    float roots[block];
    for (std::size_t begin = 0; begin < size; begin += block) {
      const std::size_t n = std::min(block, size - begin);
      const float* const g = gradients + begin;
      float *const w = weights + begin, *const m = first + begin, *const v = second + begin;
      for (std::size_t i = 0; i < n; ++i) adamw_means(r, g[i], m[i], v[i]);
      kernels::square_roots(v, roots, n);
      for (std::size_t i = 0; i < n; ++i) w[i] = adamw_weight(r, keep, w[i], m[i], roots[i]);
    }
  }

  std::vector<TensorSlot> slots_;
  AdamWOptions options_;
  std::vector<float> first_, second_;
  std::int64_t steps_ = 0;
};

}  // namespace solopo
