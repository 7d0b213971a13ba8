// Adapters of a model (model/lora.hpp) on a device: what is trained where the model's weights are frozen.
#pragma once

#include <cstddef>

#include "solopo/cuda/device_weights.hpp"
#include "solopo/model/lora.hpp"

namespace solopo::cuda {

template <class T, class Queue>
class DeviceLora : public DeviceTensors<T, Queue> {
 public:
  DeviceLora(Queue& queue, const LoraWeights<float>& from)
      : DeviceTensors<T, Queue>(queue, from.layout.slots(), {from.data.data(), from.data.size()}),
        config_(from.config),
        layout_(from.layout) {}

  [[nodiscard]] const LoraConfig& config() const noexcept { return config_; }
  [[nodiscard]] const LoraLayout& layout() const noexcept { return layout_; }
  // Whether these are adapters of such a model.
  [[nodiscard]] bool fit(const LlamaConfig& model) const {
    return this->size() == layout_.size() && layout_.fits(model, config_);
  }

 private:
  LoraConfig config_;
  LoraLayout layout_;
};

}  // namespace solopo::cuda
