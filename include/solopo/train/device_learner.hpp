// Training on a device: a session (cuda/session.hpp) as the trainer's model, learner and live reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/cuda/session.hpp"
#include "solopo/train/learner.hpp"
#include "solopo/train/live_reference.hpp"
#include "solopo/train/policy_model.hpp"

namespace solopo {

class DevicePolicy {
 public:
  // Keeps a reference.
  explicit DevicePolicy(cuda::DeviceSession& session) : session_(session) {}

  // Throw as DeviceLlama; no statistic that compares two models can be asked for.
  std::vector<float> response_logps(const PackedSequences& batch,
                                    const kernels::RowStatistic<float>& statistic = {}) {
    return session_.response_logps(batch, statistic.kind);
  }
  std::vector<float> forward(const PackedSequences& batch,
                             const kernels::RowStatistic<float>& statistic = {}) {
    return session_.forward(batch, statistic.kind);
  }
  [[nodiscard]] std::span<const float> statistics() const { return session_.statistics(); }
  // `gradients` are a DeviceLearner's.
  void backward(std::span<const float> dlogps, std::span<float> gradients,
                std::span<const float> dstatistics = {}) {
    session_.backward(dlogps, gradients.data(), dstatistics);
  }

 private:
  cuda::DeviceSession& session_;
};

static_assert(PolicyModel<DevicePolicy>);

class DeviceLearner final : public Learner {
 public:
  // Keeps a reference to a session that trains and that was opened with these parameters and options.
  DeviceLearner(cuda::DeviceSession& session, const Parameters& parameters, const AdamWOptions& options = {})
      : session_(session),
        parameters_(parameters),
        optimizer_(parameters.slots, parameters.values.size(), options) {}

  void zero_gradients() override { session_.zero_gradients(); }
  [[nodiscard]] std::span<float> gradients() override {
    return {session_.gradients(), parameters_.values.size()};
  }
  [[nodiscard]] double gradient_norm() override { return session_.gradient_norm(); }
  [[nodiscard]] std::string non_finite_gradient() override {
    std::vector<float> gradients(parameters_.values.size());
    session_.get_gradients(gradients);
    return first_non_finite(gradients, parameters_.slots);
  }
  void step(double rate, float scale) override {
    session_.step(rate, scale);
    optimizer_.set_steps(optimizer_.steps() + 1);
  }

  [[nodiscard]] const Parameters& parameters() const override { return parameters_; }
  [[nodiscard]] AdamW& optimizer() override { return optimizer_; }
  void fetch() override {
    session_.get_values(parameters_.values);
    session_.get_moments(optimizer_.first(), optimizer_.second());
  }
  void store() override {
    session_.set_values(parameters_.values);
    session_.set_moments(optimizer_.first(), optimizer_.second(), optimizer_.steps());
  }
  [[nodiscard]] std::uint64_t device_bytes() override { return session_.used_bytes(); }

 private:
  cuda::DeviceSession& session_;
  Parameters parameters_;
  AdamW optimizer_;  // the host's copy of its state
};

// A reference with weights of its own that follows the policy.
class DeviceReference final : public LiveReference {
 public:
  // Keeps references to a session that was opened with these weights, without adapters, and to them.
  DeviceReference(cuda::DeviceSession& session, LlamaWeights<float>& weights)
      : session_(session), model_(session), parameters_(parameters_of(weights)) {}

  RecordReference score(const PreferenceRecord& record, const CollateOptions& options) override {
    return score_reference(model_, record, options);
  }
  // Throws ArgumentError: distributions are not compared on a device.
  [[nodiscard]] kernels::HeadRows<float> head_rows() const override {
    throw ArgumentError("statistic", "compares two models, which is not done on a device");
  }
  [[nodiscard]] Parameters parameters() override { return parameters_; }
  void changed() override { session_.set_values(parameters_.values); }

 private:
  cuda::DeviceSession& session_;
  DevicePolicy model_;
  Parameters parameters_;
};

}  // namespace solopo
