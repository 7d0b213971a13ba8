// Opens a session, or a decoder, on the CUDA device.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>

#include "solopo/core/error.hpp"
#include "solopo/cuda/error.cuh"
#include "solopo/cuda/queue.cuh"
#include "solopo/cuda/queue_decoder.hpp"
#include "solopo/cuda/queue_session.hpp"

namespace solopo::cuda {

// The device that is current. Throws Error where there is none, and why.
[[nodiscard]] inline DeviceInfo device_info() {
  int count = 0, device = 0;
  if (const cudaError_t code = cudaGetDeviceCount(&count); code != cudaSuccess || count == 0) {
    (void)cudaGetLastError();
    throw Error("there is no CUDA device on this machine" +
                (code == cudaSuccess ? std::string() : std::string(" (") + cudaGetErrorString(code) + ")"));
  }
  check(cudaGetDevice(&device), "cudaGetDevice");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  std::size_t left = 0, total = 0;
  check(cudaMemGetInfo(&left, &total), "cudaMemGetInfo");
  return {properties.name, static_cast<std::int64_t>(total), static_cast<std::int64_t>(left)};
}

// Throws Error where there is no device, CudaError when it has no room, ArgumentError as QueueSession.
[[nodiscard]] inline std::unique_ptr<DeviceSession> open_session(const LlamaWeights<float>& weights,
                                                                 const LoraWeights<float>* lora,
                                                                 const SessionOptions& options) {
  (void)device_info();
  return make_session(std::make_unique<CudaQueue>(nullptr, options.deterministic), weights, lora, options);
}

// The weights as a decoder's engine. Throws as open_session().
[[nodiscard]] inline std::unique_ptr<DecoderEngineBase> open_decoder_engine(
    const LlamaWeights<float>& weights, DeviceStorage storage) {
  (void)device_info();
  return make_decoder_engine(std::make_unique<CudaQueue>(), weights, storage);
}

}  // namespace solopo::cuda
