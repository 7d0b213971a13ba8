// A session over a queue: the decoder of llama.hpp, its weights, and AdamW.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/cuda/device_lora.hpp"
#include "solopo/cuda/device_weights.hpp"
#include "solopo/cuda/llama.hpp"
#include "solopo/cuda/session.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"

namespace solopo::cuda {

template <class T, class Queue>
class QueueSession final : public DeviceSession {
 public:
  // The weights are copied. With adapters these are trained and the weights are frozen. Throws ArgumentError
  // when the adapters are another model's, CudaError when the device has no room.
  QueueSession(std::unique_ptr<Queue> queue, const LlamaWeights<float>& weights,
               const LoraWeights<float>* lora, const SessionOptions& options)
      : queue_(std::move(queue)), weights_(*queue_, weights, lora != nullptr || !options.trains) {
    const DeviceLlamaOptions how{.recompute = options.recompute, .library_pairs = options.library_pairs};
    if (lora) {
      lora_.emplace(*queue_, *lora);
      model_.emplace(*queue_, weights_, *lora_, how);
    } else {
      model_.emplace(*queue_, weights_, how);
    }
    if (options.trains) optimizer_.emplace(*queue_, values(), options.adamw);
  }

  std::vector<float> response_logps(const PackedSequences& batch, Statistic statistic) override {
    return model_->response_logps(batch, statistic);
  }
  std::vector<float> forward(const PackedSequences& batch, Statistic statistic) override {
    return model_->forward(batch, statistic);
  }
  [[nodiscard]] std::span<const float> statistics() const override { return model_->statistics(); }
  void backward(std::span<const float> dlogps, float* gradients,
                std::span<const float> dstatistics) override {
    model_->backward(dlogps, gradients, dstatistics);
  }

  void set_values(std::span<const float> from) override { values().upload(*queue_, from); }
  void get_values(std::span<float> to) override { values().download(*queue_, to); }

  [[nodiscard]] std::uint64_t used_bytes() override { return queue_->used_bytes(); }

  void zero_gradients() override { optimizer().zero_gradients(); }
  [[nodiscard]] float* gradients() override { return optimizer().gradients(); }
  void get_gradients(std::span<float> to) override { optimizer().get_gradients(to); }
  [[nodiscard]] double gradient_norm() override { return optimizer().gradient_norm(); }
  void step(double rate, float scale) override { optimizer().step(rate, scale); }
  void get_moments(std::span<float> first, std::span<float> second) override {
    optimizer().get_moments(first, second);
  }
  void set_moments(std::span<const float> first, std::span<const float> second, std::int64_t steps) override {
    optimizer().set_moments(first, second, steps);
  }

 private:
  [[nodiscard]] DeviceTensors<T, Queue>& values() {
    if (lora_) return *lora_;
    return weights_;
  }
  [[nodiscard]] DeviceAdamW<T, Queue>& optimizer() {
    if (!optimizer_) throw ArgumentError("session", "was opened without gradients: it does not train");
    return *optimizer_;
  }

  std::unique_ptr<Queue> queue_;
  DeviceWeights<T, Queue> weights_;
  std::optional<DeviceLora<T, Queue>> lora_;
  std::optional<DeviceLlama<T, Queue>> model_;
  std::optional<DeviceAdamW<T, Queue>> optimizer_;
};

// Throws as QueueSession.
template <class Queue>
[[nodiscard]] std::unique_ptr<DeviceSession> make_session(std::unique_ptr<Queue> queue,
                                                          const LlamaWeights<float>& weights,
                                                          const LoraWeights<float>* lora,
                                                          const SessionOptions& options) {
  if (options.storage == DeviceStorage::float32)
    return std::make_unique<QueueSession<float, Queue>>(std::move(queue), weights, lora, options);
  return std::make_unique<QueueSession<BFloat16, Queue>>(std::move(queue), weights, lora, options);
}

}  // namespace solopo::cuda
