// A decoder's engine that owns all it needs on a device: a queue and frozen weights.
#pragma once

#include <memory>
#include <utility>

#include "solopo/core/bfloat16.hpp"
#include "solopo/cuda/decoder.hpp"
#include "solopo/cuda/device_weights.hpp"
#include "solopo/cuda/session.hpp"
#include "solopo/model/any_decoder.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo::cuda {

namespace queue_decoder_detail {

template <class T, class Queue>
struct Held {
  Held(std::unique_ptr<Queue> from, const LlamaWeights<float>& host)
      : queue(std::move(from)), weights(*queue, host, true) {}
  std::unique_ptr<Queue> queue;
  DeviceWeights<T, Queue> weights;
};

// A base, so that it is there before the engine and goes after it.
template <class T, class Queue>
class Engine : private Held<T, Queue>, public DeviceDecoderEngine<T, Queue> {
 public:
  Engine(std::unique_ptr<Queue> from, const LlamaWeights<float>& host)
      : Held<T, Queue>(std::move(from), host),
        DeviceDecoderEngine<T, Queue>(*Held<T, Queue>::queue, Held<T, Queue>::weights) {}
};

}  // namespace queue_decoder_detail

// The weights are copied. Throws CudaError when the device has no room.
template <class Queue>
[[nodiscard]] std::unique_ptr<DecoderEngineBase> make_decoder_engine(std::unique_ptr<Queue> queue,
                                                                     const LlamaWeights<float>& weights,
                                                                     DeviceStorage storage) {
  using queue_decoder_detail::Engine;
  if (storage == DeviceStorage::float32)
    return std::make_unique<ErasedDecoderEngine<Engine<float, Queue>>>(std::move(queue), weights);
  return std::make_unique<ErasedDecoderEngine<Engine<BFloat16, Queue>>>(std::move(queue), weights);
}

}  // namespace solopo::cuda
