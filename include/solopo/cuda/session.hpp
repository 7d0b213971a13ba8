// A model on a device, and what trains it, behind an interface that knows neither CUDA nor Eigen: one source
// in the language CUDA opens it (session.cuh), the rest of a program is compiled as ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/response.hpp"
#include "solopo/kernels/adamw_rule.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo::cuda {

// What activations and products are stored in; sums, logits, gradients and the optimiser are float32.
enum class DeviceStorage { bfloat16, float32 };

// Query-key pairs of a sequence, in each of a model's layers, from which a library's calls are worth their
// plans where each shape is called a few hundred times. For one layer alone it takes as many as for all.
inline constexpr std::int64_t library_pairs = std::int64_t{1} << 19;
inline constexpr std::int64_t never_library = std::numeric_limits<std::int64_t>::max();

struct SessionOptions {
  DeviceStorage storage = DeviceStorage::bfloat16;
  bool recompute = false;     // layers again in the backward: less memory
  bool deterministic = true;  // two runs give the same bits; faster at length without
  // Pairs of a sequence, in each layer, from which a library's attention is asked for (library_choice.hpp).
  std::int64_t library_pairs = cuda::library_pairs;
  bool trains = true;  // holds gradients and the optimiser's state
  AdamWOptions adamw{};
};

struct DeviceInfo {
  std::string name;
  std::int64_t total_bytes = 0, free_bytes = 0;  // of its memory
};

// Functions of a session that only trains (all from zero_gradients() on) throw ArgumentError in one that was
// opened without. All throw CudaError.
class DeviceSession {
 public:
  virtual ~DeviceSession() = default;

  // As DeviceLlama's.
  virtual std::vector<float> response_logps(const PackedSequences& batch, Statistic statistic) = 0;
  virtual std::vector<float> forward(const PackedSequences& batch, Statistic statistic) = 0;
  [[nodiscard]] virtual std::span<const float> statistics() const = 0;
  virtual void backward(std::span<const float> dlogps, float* gradients,
                        std::span<const float> dstatistics) = 0;

  // The trained numbers: adapters where the session has some, else the weights. Both throw ArgumentError for
  // another size, get_values() also in a session that does not train.
  virtual void set_values(std::span<const float> values) = 0;
  virtual void get_values(std::span<float> values) = 0;

  // Bytes of the device's memory in use now, by all programs; 0 where that is not known.
  [[nodiscard]] virtual std::uint64_t used_bytes() = 0;

  virtual void zero_gradients() = 0;
  [[nodiscard]] virtual float* gradients() = 0;  // on the device
  virtual void get_gradients(std::span<float> to) = 0;
  [[nodiscard]] virtual double gradient_norm() = 0;
  virtual void step(double rate, float scale) = 0;
  virtual void get_moments(std::span<float> first, std::span<float> second) = 0;
  virtual void set_moments(std::span<const float> first, std::span<const float> second,
                           std::int64_t steps) = 0;
};

}  // namespace solopo::cuda
