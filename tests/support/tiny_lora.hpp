// Small random adapters.
#pragma once

#include <cstddef>

#include "solopo/core/random.hpp"
#include "solopo/model/lora.hpp"

namespace solopo::test {

// Normal with deviation 0.2, both matrices: adapters that were trained.
template <class T>
LoraWeights<T> random_lora(const LlamaConfig& model, const LoraConfig& config, std::uint64_t seed = 1) {
  LoraWeights<T> lora(model, config);
  RandomStream random(seed, "adapters");
  for (const TensorSlot& slot : lora.layout.slots())
    for (std::size_t i = 0; i < slot.size; ++i)
      lora.data[slot.offset + i] = static_cast<T>(0.2 * random.normal());
  return lora;
}

}  // namespace solopo::test
