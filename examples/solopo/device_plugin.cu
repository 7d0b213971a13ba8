// The library that `--device cuda` loads.
#include "device.hpp"
#include "solopo/core/config.hpp"
#include "solopo/cuda/session.cuh"

extern "C" const solopo::cli::DevicePlugin* solopo_device_plugin() {
  static const solopo::cli::DevicePlugin plugin{
      .version = SOLOPO_VERSION,
      .has_library_attention = &solopo::cuda::CudaQueue::has_attention<solopo::BFloat16>,
      .info = &solopo::cuda::device_info,
      .open = &solopo::cuda::open_session,
      .open_decoder = &solopo::cuda::open_decoder_engine};
  return &plugin;
}
