// Where a command's model runs: on the CPU, or on a CUDA device through a library beside the program that is
// loaded when it is asked for, so that the program itself needs nothing of CUDA.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "solopo/cuda/session.hpp"
#include "solopo/model/any_decoder.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"

namespace solopo::cli {

struct DeviceOptions {
  std::string device = "cpu";  // --device: cpu, cuda
  std::string dtype = "auto";  // --dtype: auto (bf16 on a device, f32 on the CPU), f32, bf16
  bool deterministic = true;   // --no-deterministic of train clears it

  [[nodiscard]] bool on_cuda() const noexcept { return device == "cuda"; }
  [[nodiscard]] cuda::DeviceStorage storage() const noexcept {
    return dtype == "f32" ? cuda::DeviceStorage::float32 : cuda::DeviceStorage::bfloat16;
  }
  // What --dtype comes to.
  [[nodiscard]] bool is_bf16() const noexcept;
  [[nodiscard]] const char* dtype_name() const noexcept { return is_bf16() ? "bf16" : "f32"; }
};

// What --dtype comes to and why, in a line, on the CPU.
[[nodiscard]] std::string dtype_note(const DeviceOptions& options);

// Samples that one reading of the weights serves in little more than the time of one, none of them changed by
// the others.
[[nodiscard]] int rows_together(const DeviceOptions& options) noexcept;
// Tokens of the prompts that are continued together, so that their cache stays small.
inline constexpr std::size_t prompt_tokens_together = 16384;

// Calls problem(text) for each option that cannot be.
void check_device(const DeviceOptions& options, const std::function<void(const std::string&)>& problem);

// What the library gives (device_plugin.cu).
struct DevicePlugin {
  const char* version;                          // SOLOPO_VERSION
  bool (*has_library_attention)(int head_dim);  // cuDNN's, in bfloat16
  cuda::DeviceInfo (*info)();                   // throws Error where there is no device
  std::unique_ptr<cuda::DeviceSession> (*open)(const LlamaWeights<float>&, const LoraWeights<float>*,
                                               const cuda::SessionOptions&);
  std::unique_ptr<DecoderEngineBase> (*open_decoder)(const LlamaWeights<float>&, cuda::DeviceStorage);
};
inline constexpr const char* device_plugin_file = "libsolopo_cuda.so";
inline constexpr const char* device_plugin_symbol = "solopo_device_plugin";  // const DevicePlugin*()

// Whether the library is there.
[[nodiscard]] bool has_device_plugin();

// Loads the library. Throws Error where there is none, or it is another version's.
[[nodiscard]] const DevicePlugin& device_plugin();

// Throws Error where the options ask for a device and there is none. For commands to say so before they work.
// On the CPU: products are in what --dtype says from now on.
void require_device(const DeviceOptions& where);

// What generates with these weights, to which it may keep a reference. Throws as device_plugin() and what
// opens the device.
[[nodiscard]] AnyDecoder make_decoder(const LlamaWeights<float>& weights, const DeviceOptions& where);

}  // namespace solopo::cli
