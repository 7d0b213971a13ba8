// A model's weights on a device: float32, which the optimiser changes, and what products read.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/cuda/optimizer_kernels.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo::cuda {

// Blocks and threads of kernels over a flat buffer.
inline constexpr int flat_threads = 256;
[[nodiscard]] constexpr int flat_blocks(std::size_t size) noexcept {
  return static_cast<int>(std::min<std::size_t>((size + flat_threads - 1) / flat_threads, 1024));
}

// Named tensors on a device, in one flat buffer laid out as on the host. T: float or BFloat16, what
// activations and products are stored in.
template <class T, class Queue>
class DeviceTensors {
 public:
  // The slots' layout has from.size() elements. Frozen tensors are only read: of them the float32 numbers are
  // not kept beside narrower ones.
  DeviceTensors(Queue& queue, std::span<const TensorSlot> slots, std::span<const float> from,
                bool frozen = false)
      : slots_(slots.begin(), slots.end()), size_(from.size()), frozen_(frozen) {
    if (std::same_as<T, float> || !frozen) master_ = Master(size_);
    if constexpr (!std::same_as<T, float>) values_ = typename Queue::template Array<T>(size_);
    upload(queue, from);
  }

  // Takes other numbers. Throws ArgumentError when the size is another.
  void upload(Queue& queue, std::span<const float> from) {
    check_size(from.size());
    if (master_.size() == size_) return upload(queue, from, master_, 0);
    constexpr std::size_t piece = std::size_t{1} << 24;
    const Master passing(std::min(size_, piece));
    for (std::size_t at = 0; at < size_; at += piece)
      upload(queue, from.subspan(at, std::min(piece, size_ - at)), passing, at);
    queue.wait();  // before it goes
  }
  // Copies the float32 numbers to the host. Throws ArgumentError when the size is another, or they are
  // frozen.
  void download(Queue& queue, std::span<float> to) const {
    check_size(to.size());
    if (frozen_) throw ArgumentError("values", "are frozen: their float32 numbers were not kept");
    queue.download(to.data(), master_.data(), to.size());
  }

  [[nodiscard]] std::span<const TensorSlot> slots() const noexcept { return slots_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool frozen() const noexcept { return frozen_; }
  // Null where they are not kept.
  [[nodiscard]] float* master() const noexcept { return master_.data(); }
  // What products read; the float32 numbers themselves for T = float.
  [[nodiscard]] T* values() const noexcept {
    if constexpr (std::same_as<T, float>) {
      return master_.data();
    } else {
      return values_.data();
    }
  }

 private:
  using Master = typename Queue::template Array<float>;

  void check_size(std::size_t size) const {
    if (size != size_)
      throw ArgumentError("values", "are " + std::to_string(size) + ", the tensors on the device have " +
                                        std::to_string(size_));
  }
  // Through `master` to the values from `at` on.
  void upload(Queue& queue, std::span<const float> from, const Master& master, std::size_t at) {
    queue.upload(master.data(), from.data(), from.size());
    if constexpr (!std::same_as<T, float>)
      queue.launch(flat_blocks(from.size()), 1, flat_threads, 0,
                   Round{master.data(), values_.data() + at, from.size()});
  }

  std::vector<TensorSlot> slots_;
  std::size_t size_;
  bool frozen_;
  Master master_;
  typename Queue::template Array<T> values_;
};

// A model's weights.
template <class T, class Queue>
class DeviceWeights : public DeviceTensors<T, Queue> {
 public:
  // Frozen weights cannot be trained, and take a third of the room in BFloat16.
  DeviceWeights(Queue& queue, const LlamaWeights<float>& from, bool frozen = false)
      : DeviceTensors<T, Queue>(queue, from.layout.slots(), {from.data.data(), from.data.size()}, frozen),
        config_(from.config),
        layout_(from.layout) {}

  [[nodiscard]] const LlamaConfig& config() const noexcept { return config_; }
  [[nodiscard]] const LlamaLayout& layout() const noexcept { return layout_; }

 private:
  LlamaConfig config_;
  LlamaLayout layout_;
};

// AdamW and the gradients it takes, on a device.
template <class T, class Queue>
class DeviceAdamW {
 public:
  // Throws ArgumentError when a setting is out of range.
  DeviceAdamW(Queue& queue, DeviceTensors<T, Queue>& weights, AdamWOptions options = {})
      : queue_(queue),
        weights_(weights),
        options_(options),
        gradients_(weights.size()),
        first_(weights.size()),
        second_(weights.size()),
        decays_((weights.size() + AdamWStep::group - 1) / AdamWStep::group),
        parts_(static_cast<std::size_t>(flat_blocks(weights.size()))) {
    check_adamw(options);
    if (weights.frozen()) throw ArgumentError("weights", "are frozen: they cannot be trained");
    std::vector<std::uint8_t> decays(decays_.size(), 0);
    for (const TensorSlot& slot : weights.slots())
      if (options.decay_vectors || slot.shape.size() > 1)
        std::fill(decays.begin() + static_cast<std::ptrdiff_t>(slot.offset / AdamWStep::group),
                  decays.begin() + static_cast<std::ptrdiff_t>(
                                       (slot.offset + slot.size + AdamWStep::group - 1) / AdamWStep::group),
                  std::uint8_t{1});
    queue.upload(decays_.data(), decays.data(), decays.size());
    queue.zero(first_.data(), first_.size());
    queue.zero(second_.data(), second_.size());
    zero_gradients();
  }

  void zero_gradients() { queue_.zero(gradients_.data(), gradients_.size()); }
  [[nodiscard]] float* gradients() const noexcept { return gradients_.data(); }

  // Euclidean norm of the gradients; NaN or infinity when one is there. Waits for the device.
  [[nodiscard]] double gradient_norm() {
    queue_.launch(flat_blocks(gradients_.size()), 1, flat_threads, 0,
                  SquaredNormParts{gradients_.data(), gradients_.size(), parts_.data()});
    std::vector<double> parts(parts_.size());
    queue_.download(parts.data(), parts_.data(), parts.size());
    double sum = 0;
    for (const double part : parts) sum += part;
    return std::sqrt(sum);
  }

  // One update with `gradients * scale` at learning rate `rate`.
  void step(double rate, float scale = 1) {
    BFloat16* values = nullptr;
    if constexpr (std::same_as<T, BFloat16>) values = weights_.values();
    queue_.launch(flat_blocks(gradients_.size()), 1, flat_threads, 0,
                  AdamWStep{adamw_rule(options_, ++steps_, rate, scale), gradients_.data(), decays_.data(),
                            weights_.master(), first_.data(), second_.data(), values, gradients_.size()});
  }

  // Updates made.
  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }

  // Copies on the host, for checkpoints: gradients, and the running means of gradients and of their squares.
  // Throw ArgumentError for another size.
  void get_gradients(std::span<float> to) const { get(gradients_, to); }
  void get_moments(std::span<float> first, std::span<float> second) const {
    get(first_, first);
    get(second_, second);
  }
  // Goes on from such means after `steps` updates.
  void set_moments(std::span<const float> first, std::span<const float> second, std::int64_t steps) {
    check_size(first.size());
    check_size(second.size());
    queue_.upload(first_.data(), first.data(), first.size());
    queue_.upload(second_.data(), second.data(), second.size());
    steps_ = steps;
  }

 private:
  void check_size(std::size_t size) const {
    if (size != gradients_.size())
      throw ArgumentError("moments", "are " + std::to_string(size) + ", the optimiser on the device has " +
                                         std::to_string(gradients_.size()));
  }
  void get(const typename Queue::template Array<float>& from, std::span<float> to) const {
    check_size(to.size());
    queue_.download(to.data(), from.data(), to.size());
  }

  Queue& queue_;
  DeviceTensors<T, Queue>& weights_;
  AdamWOptions options_;
  typename Queue::template Array<float> gradients_, first_, second_;
  typename Queue::template Array<std::uint8_t> decays_;
  typename Queue::template Array<double> parts_;
  std::int64_t steps_ = 0;
};

}  // namespace solopo::cuda
