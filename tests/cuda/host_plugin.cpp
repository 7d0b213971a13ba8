// The library that `--device cuda` loads, with a host that plays the device.
#include <memory>

#include "../../examples/solopo/device.hpp"
#include "host_device.hpp"
#include "solopo/core/config.hpp"
#include "solopo/cuda/queue_session.hpp"

namespace {

solopo::cuda::DeviceInfo info() { return {"a host that plays a device", 1LL << 33, 1LL << 33}; }

std::unique_ptr<solopo::cuda::DeviceSession> open(const solopo::LlamaWeights<float>& weights,
                                                  const solopo::LoraWeights<float>* lora,
                                                  const solopo::cuda::SessionOptions& options) {
  return solopo::cuda::make_session(std::make_unique<solopo::test::HostQueue>(), weights, lora, options);
}

}  // namespace

extern "C" const solopo::cli::DevicePlugin* solopo_device_plugin();
extern "C" const solopo::cli::DevicePlugin* solopo_device_plugin() {
  static const solopo::cli::DevicePlugin plugin{.version = SOLOPO_VERSION, .info = &info, .open = &open};
  return &plugin;
}
