// The library that `--device cuda` loads, with a host that plays the device.
#include <memory>

#include "../../examples/solopo/device.hpp"
#include "host_device.hpp"
#include "solopo/core/config.hpp"
#include "solopo/cuda/queue_decoder.hpp"
#include "solopo/cuda/queue_session.hpp"

namespace {

solopo::cuda::DeviceInfo info() { return {"a host that plays a device", 1LL << 33, 1LL << 33}; }

std::unique_ptr<solopo::cuda::DeviceSession> open(const solopo::LlamaWeights<float>& weights,
                                                  const solopo::LoraWeights<float>* lora,
                                                  const solopo::cuda::SessionOptions& options) {
  return solopo::cuda::make_session(std::make_unique<solopo::test::HostQueue>(), weights, lora, options);
}

std::unique_ptr<solopo::DecoderEngineBase> open_decoder(const solopo::LlamaWeights<float>& weights,
                                                        solopo::cuda::DeviceStorage storage) {
  return solopo::cuda::make_decoder_engine(std::make_unique<solopo::test::HostQueue>(), weights, storage);
}

}  // namespace

extern "C" const solopo::cli::DevicePlugin* solopo_device_plugin();
extern "C" const solopo::cli::DevicePlugin* solopo_device_plugin() {
  static const solopo::cli::DevicePlugin plugin{
      .version = SOLOPO_VERSION,
      .has_library_attention = &solopo::test::HostQueue::has_attention<solopo::BFloat16>,
      .info = &info,
      .open = &open,
      .open_decoder = &open_decoder};
  return &plugin;
}
