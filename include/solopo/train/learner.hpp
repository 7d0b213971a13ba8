// What training changes: trained values, their gradients and AdamW, wherever they lie. A checkpoint is made
// of copies on the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/train/optimizer.hpp"
#include "solopo/train/parameters.hpp"

namespace solopo {

class Learner {
 public:
  virtual ~Learner() = default;

  virtual void zero_gradients() = 0;
  // Where the model's backward() adds; on a device the host may read no more than its size.
  [[nodiscard]] virtual std::span<float> gradients() = 0;
  // Euclidean norm of the gradients; NaN or infinity when one is there.
  [[nodiscard]] virtual double gradient_norm() = 0;
  // The first tensor whose gradient holds a NaN or an infinity; empty: none.
  [[nodiscard]] virtual std::string non_finite_gradient() = 0;
  // One update with `gradients * scale` at learning rate `rate`.
  virtual void step(double rate, float scale) = 0;

  // The host's copies of the values and of the optimiser's state. fetch() brings them up to date; after they
  // were written store() makes training go on from them.
  [[nodiscard]] virtual const Parameters& parameters() const = 0;
  [[nodiscard]] virtual AdamW& optimizer() = 0;
  virtual void fetch() = 0;
  virtual void store() = 0;

  // Bytes in use on the device now, by all programs; 0 on the host.
  [[nodiscard]] virtual std::uint64_t device_bytes() { return 0; }
};

// All of it on the host, where the copies are the values themselves.
class HostLearner final : public Learner {
 public:
  // Throws ArgumentError when a setting is out of range.
  explicit HostLearner(const Parameters& parameters, const AdamWOptions& options = {})
      : parameters_(parameters),
        optimizer_(parameters.slots, parameters.values.size(), options),
        gradients_(parameters.values.size()) {}

  void zero_gradients() override { std::fill(gradients_.begin(), gradients_.end(), 0.0f); }
  [[nodiscard]] std::span<float> gradients() override { return gradients_; }
  [[nodiscard]] double gradient_norm() override { return global_norm(gradients_); }
  [[nodiscard]] std::string non_finite_gradient() override {
    return first_non_finite(gradients_, parameters_.slots);
  }
  void step(double rate, float scale) override {
    optimizer_.step(parameters_.values, gradients_, rate, scale);
  }

  [[nodiscard]] const Parameters& parameters() const override { return parameters_; }
  [[nodiscard]] AdamW& optimizer() override { return optimizer_; }
  void fetch() override {}
  void store() override {}

 private:
  Parameters parameters_;
  AdamW optimizer_;
  std::vector<float> gradients_;
};

}  // namespace solopo
