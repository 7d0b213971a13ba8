// The device's model against the CPU's, for any queue: on a device, and on a host that plays one. Each check
// returns the largest difference, relative to the norm of what it compares.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/cuda/device_lora.hpp"
#include "solopo/cuda/llama.hpp"
#include "solopo/kernels/adamw_rule.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"

namespace solopo::test {

// What the CPU backend says, compiled apart from device code (host_pass.cpp).
struct HostPass {
  std::vector<float> logps, statistics, gradient;
  WorkCount work;
};
HostPass host_pass(const LlamaWeights<float>& weights, const LoraWeights<float>* lora,
                   const PackedSequences& batch, Statistic statistic, const std::vector<float>& dlogps,
                   const std::vector<float>& dstatistics);

inline double relative_difference(std::span<const float> actual, std::span<const float> expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double d = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    difference += d * d;
    norm += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  if (!std::isfinite(difference)) return difference;
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

// A short pair that shares its prompt, the long chosen response whose prompt is read without a gradient or
// not, and a lone response.
inline PackedSequences mixed_batch(std::int32_t vocabulary, RandomStream& random, bool read,
                                   std::size_t scale = 1) {
  const auto ids = [&](std::size_t n) {
    std::vector<std::int32_t> out(n);
    for (std::int32_t& t : out)
      t = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    return out;
  };
  const auto prompt = ids(7 * scale), chosen = ids(5 * scale), rejected = ids(3 * scale + 1),
             long_prompt = ids(19 * scale + 1);
  PackedSequences batch;
  const std::span<const std::int32_t> pair[] = {chosen, rejected}, one[] = {chosen};
  batch.append_shared(prompt, pair);
  if (read) {
    batch.append_read(long_prompt, one);
  } else {
    batch.append_shared(long_prompt, one);
  }
  batch.append(ids(1), ids(1));  // nothing but a row
  return batch;
}

// A model on a device, with adapters where they are given, and the optimiser of what is trained.
template <class T, class Queue>
struct DeviceTraining {
  cuda::DeviceWeights<T, Queue> weights;
  std::optional<cuda::DeviceLora<T, Queue>> lora;
  cuda::DeviceLlama<T, Queue> model;
  cuda::DeviceAdamW<T, Queue> optimizer;

  DeviceTraining(Queue& queue, const LlamaWeights<float>& from, const LoraWeights<float>* adapters,
                 cuda::DeviceLlamaOptions options = {}, AdamWOptions adamw = {})
      : weights(queue, from),
        lora(adapters ? std::optional<cuda::DeviceLora<T, Queue>>(std::in_place, queue, *adapters)
                      : std::nullopt),
        model(lora ? cuda::DeviceLlama<T, Queue>(queue, weights, *lora, options)
                   : cuda::DeviceLlama<T, Queue>(queue, weights, options)),
        optimizer(queue, lora ? static_cast<cuda::DeviceTensors<T, Queue>&>(*lora) : weights, adamw) {}
};

// What the device reads: numbers rounded to its storage.
template <class T, class Tensors>
Tensors rounded(Tensors tensors) {
  for (float& x : tensors.data) x = static_cast<float>(T(x));
  return tensors;
}

struct ParityReport {
  double logps = 0, statistics = 0, gradient = 0;
  std::string worst;       // tensor
  bool same_work = false;  // in the forward and the backward
};

// Log-probabilities, statistics and the gradient of every tensor that is trained, of one batch.
template <class T, class Queue>
ParityReport model_parity(Queue& queue, const LlamaWeights<float>& weights, const PackedSequences& batch,
                          cuda::DeviceLlamaOptions options, Statistic statistic,
                          const LoraWeights<float>* lora = nullptr) {
  std::vector<float> dlogps, dstatistics;
  for (std::int32_t r = 0; r < batch.responses; ++r) {
    dlogps.push_back(0.5f - 0.3f * static_cast<float>(r));
    dstatistics.push_back(statistic == Statistic::collision_logp ? 0.2f : 0.0f);
  }
  const LoraWeights<float> adapters = lora ? rounded<T>(*lora) : LoraWeights<float>();
  const HostPass expected =
      host_pass(rounded<T>(weights), lora ? &adapters : nullptr, batch, statistic, dlogps, dstatistics);

  DeviceTraining<T, Queue> device(queue, weights, lora, options);
  auto& model = device.model;
  auto& optimizer = device.optimizer;
  const std::vector<float> scored = model.response_logps(batch, statistic);
  const std::vector<float> logps = model.forward(batch, statistic);
  ParityReport report;
  report.logps = relative_difference(logps, expected.logps);
  if (scored != logps) report.logps = 1;  // bit for bit
  report.statistics = relative_difference(model.statistics(), expected.statistics);
  const WorkCount before = model.work();
  model.backward(dlogps, optimizer.gradients(), dstatistics);
  report.same_work = before.forward == expected.work.forward + expected.work.forward &&
                     model.work().backward == expected.work.backward;
  std::vector<float> gradient(expected.gradient.size());
  queue.download(gradient.data(), optimizer.gradients(), gradient.size());
  for (const TensorSlot& slot : lora ? lora->layout.slots() : weights.layout.slots()) {
    const double d = relative_difference(std::span(gradient).subspan(slot.offset, slot.size),
                                         std::span(expected.gradient).subspan(slot.offset, slot.size));
    if (!(d <= report.gradient)) {
      report.gradient = d;
      report.worst = slot.name;
    }
  }
  // Once more: the same bits.
  optimizer.zero_gradients();
  model.forward(batch, statistic);
  model.backward(dlogps, optimizer.gradients(), dstatistics);
  std::vector<float> again(gradient.size());
  queue.download(again.data(), optimizer.gradients(), again.size());
  if (again != gradient) {
    report.gradient = 1;
    report.worst = "another run";
  }
  return report;
}

// Losses of `steps` steps of AdamW on -logp of the first response and +logp of the second, device and host.
template <class T, class Queue>
std::pair<std::vector<float>, std::vector<float>> training_parity(
    Queue& queue, LlamaWeights<float> weights, const PackedSequences& batch, int steps,
    std::optional<LoraWeights<float>> lora = std::nullopt) {
  const AdamWOptions adamw{.weight_decay = 0.01};
  std::vector<float> dlogps(static_cast<std::size_t>(batch.responses), 0.0f);
  dlogps[0] = -0.1f;
  dlogps[1] = 0.05f;
  const auto loss = [&](const std::vector<float>& logps) {
    float sum = 0;
    for (std::size_t i = 0; i < logps.size(); ++i) sum += dlogps[i] * logps[i];
    return sum;
  };
  std::pair<std::vector<float>, std::vector<float>> losses;
  DeviceTraining<T, Queue> device(queue, weights, lora ? &*lora : nullptr, {}, adamw);
  auto& model = device.model;
  auto& optimizer = device.optimizer;
  for (int s = 0; s < steps; ++s) {
    optimizer.zero_gradients();
    losses.first.push_back(loss(model.forward(batch)));
    model.backward(dlogps, optimizer.gradients());
    const double norm = optimizer.gradient_norm();
    optimizer.step(1e-3, norm > 1 ? static_cast<float>(1 / norm) : 1.0f);
  }
  const std::span<float> trained = lora ? std::span<float>(lora->data) : std::span<float>(weights.data);
  std::vector<float> first(trained.size(), 0.0f), second(first);
  for (int s = 0; s < steps; ++s) {
    const HostPass host = host_pass(weights, lora ? &*lora : nullptr, batch, Statistic::none, dlogps, {});
    const std::vector<float>& gradients = host.gradient;
    losses.second.push_back(loss(host.logps));
    double squares = 0;
    for (const float g : gradients) squares += static_cast<double>(g) * static_cast<double>(g);
    const double norm = std::sqrt(squares);
    const AdamWRule rule = adamw_rule(adamw, s + 1, 1e-3, norm > 1 ? static_cast<float>(1 / norm) : 1.0f);
    for (const TensorSlot& slot : lora ? lora->layout.slots() : weights.layout.slots())
      for (std::size_t i = slot.offset; i < slot.offset + slot.size; ++i)
        adamw_update(rule, slot.shape.size() > 1 ? rule.decay : 1.0f, gradients[i], trained[i], first[i],
                     second[i]);
  }
  return losses;
}

}  // namespace solopo::test
