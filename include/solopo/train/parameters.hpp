// What is trained as training sees it: one flat buffer and the tensors in it.
#pragma once

#include <cmath>
#include <span>
#include <string>

#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"

namespace solopo {

struct Parameters {
  std::span<float> values;
  std::span<const TensorSlot> slots;       // in the order of their offsets; what lies between them stays zero
  const char* file = "model.safetensors";  // in a checkpoint
};

// The weights of a Llama-family model.
[[nodiscard]] inline Parameters parameters_of(LlamaWeights<float>& weights) {
  return {.values = {weights.data.data(), weights.data.size()}, .slots = weights.layout.slots()};
}

// The adapters of one, beside frozen weights.
[[nodiscard]] inline Parameters parameters_of(LoraWeights<float>& lora) {
  return {.values = {lora.data.data(), lora.data.size()},
          .slots = lora.layout.slots(),
          .file = adapter_weights_name};
}

// The first tensor of `values` (laid out as `slots`) that holds a NaN or an infinity; empty: none.
[[nodiscard]] inline std::string first_non_finite(std::span<const float> values,
                                                  std::span<const TensorSlot> slots) {
  for (const TensorSlot& slot : slots) {
    for (const float value : values.subspan(slot.offset, slot.size)) {
      if (!std::isfinite(value)) return slot.name;
    }
  }
  return {};
}

}  // namespace solopo
