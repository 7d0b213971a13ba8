// The CUDA backend on a device against the CPU backend. A program of its own, so that it needs neither a test
// framework nor Eigen. Where there is no device it says so and exits with 77.
//   device_test [--small] [models|adapters|generation|training]...
//   --small: only what a memory checker can run in a minute or two a section
#include <cmath>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "decoder_parity.hpp"
#include "parity.hpp"
#include "solopo/cuda/queue.cuh"
#include "tiny_llama.hpp"
#include "tiny_lora.hpp"

namespace {

using namespace solopo;
using cuda::CudaQueue;

int failures = 0, checks = 0;

void expect(const std::string& name, double value, double limit) {
  ++checks;
  const bool holds = value <= limit;
  if (!holds) ++failures;
  std::printf("%-4s %-72s %.3g (limit %.3g)\n", holds ? "ok" : "FAIL", name.c_str(), value, limit);
  std::fflush(stdout);
}

LlamaConfig with_heads(std::int32_t head_dim, std::int32_t hidden, std::int32_t vocabulary) {
  LlamaConfig c = test::tiny_config(true, true);
  c.head_dim = head_dim;
  c.hidden_size = hidden;
  c.intermediate_size = 2 * hidden;
  c.vocab_size = vocabulary;
  c.max_position_embeddings = 1 << 16;
  return c;
}

// Weights whose activations stay near one at any width.
LlamaWeights<float> weights_of(const LlamaConfig& config, std::uint64_t seed) {
  auto weights = test::random_weights<float>(config, seed);
  const float scale = 1.0f / (0.2f * std::sqrt(static_cast<float>(config.hidden_size)));
  for (const TensorSlot& slot : weights.layout.slots())
    if (slot.shape.size() > 1)
      for (std::size_t i = 0; i < slot.size; ++i) weights.data[slot.offset + i] *= scale;
  return weights;
}

// The same of adapters, both matrices.
LoraWeights<float> lora_of(const LlamaConfig& config, const LoraConfig& shape, std::uint64_t seed) {
  auto lora = test::random_lora<float>(config, shape, seed);
  for (const TensorSlot& slot : lora.layout.slots()) {
    const float scale = 1.0f / (0.2f * std::sqrt(static_cast<float>(slot.shape[1])));
    for (std::size_t i = 0; i < slot.size; ++i) lora.data[slot.offset + i] *= scale;
  }
  return lora;
}

template <class T>
void model(CudaQueue& queue, const std::string& name, const LlamaConfig& config, std::size_t scale,
           cuda::DeviceLlamaOptions options, double logps, double gradient, std::uint64_t seed,
           const LoraWeights<float>* lora = nullptr) {
  const auto weights = weights_of(config, seed);
  for (const bool read : {false, true}) {
    RandomStream random(seed, "batch");
    const PackedSequences batch = test::mixed_batch(config.vocab_size, random, read, scale);
    const auto statistic = read ? Statistic::collision_logp : Statistic::none;
    const auto report = test::model_parity<T>(queue, weights, batch, options, statistic, lora);
    const std::string full =
        name + (read ? ", read prompt, " : ", ") + std::to_string(batch.tokens.size()) + " rows";
    expect(full + ": log-probabilities", report.logps, logps);
    if (read) expect(full + ": statistics", report.statistics, logps);
    expect(full + ": counted as on the host", report.same_work ? 0 : 1, 0);
    expect(full + ": gradients (worst " + report.worst + ")", report.gradient, gradient);
  }
}

template <class T>
void generation(CudaQueue& queue, const std::string& name, const LlamaConfig& config,
                const test::Questions& questions, cuda::DeviceDecoderOptions options, double logps) {
  const auto weights = weights_of(config, 5);
  const auto report = test::decoder_parity<T>(queue, weights, questions, options);
  const std::string full = name + ", " + std::to_string(questions.prompts.back().size()) + " rows of prompt";
  expect(full + ": logits after prompts", report.prompt_logits, logps);
  expect(full + ": log-probabilities of responses", report.response_logps, logps);
  if (std::is_same_v<T, float>) {  // rounding changes what bfloat16 writes
    expect(full + ": samples with other tokens, of " + std::to_string(report.samples), report.differ, 0);
    expect(full + ": log-probabilities of samples", report.logps, logps);
  }
  expect(full + ": samples that another run changes",
         test::changed_samples<T>(queue, weights, questions, options), 0);
}

void all_generation(CudaQueue& queue, bool small) {
  const auto plain = cuda::AttentionKernels::plain, tensor = cuda::AttentionKernels::tensor;
  const LlamaConfig tiny = test::tiny_config(false, true);
  for (const bool sampled : {false, true}) {
    if (small && sampled) continue;
    generation<float>(queue, sampled ? "sampled, float32, tiny" : "greedy, float32, tiny", tiny,
                      test::questions(tiny.vocab_size, 4, 31, sampled, 9),
                      {.read_chunk = 40, .head_chunk = 3}, 1e-5);
  }
  // More words than a block has threads.
  if (!small)
    generation<float>(queue, "greedy, float32, vocabulary of 2,000", with_heads(64, 64, 2000),
                      test::questions(2000, 4, 31, false, 9), {}, 1e-5);
  for (const std::int32_t d : {64, 128}) {
    const std::string width = ", heads of " + std::to_string(d);
    const LlamaConfig config = with_heads(d, 64, 300);
    const auto questions = test::questions(config.vocab_size, 4, small ? 31 : 499, true, small ? 4 : 33);
    if (!small)
      generation<BFloat16>(queue, "bfloat16, plain" + width, config, questions, {.attention = plain}, 1e-2);
    generation<BFloat16>(queue, "bfloat16, tensor cores" + width, config, questions,
                         {.attention = tensor, .read_chunk = 200}, 1e-2);
    if (SOLOPO_HAS_CUDNN && !small)
      generation<BFloat16>(queue, "bfloat16, cuDNN" + width, config, questions,
                           {.attention = cuda::AttentionKernels::library, .read_chunk = 400}, 1e-2);
    if (!small) generation<float>(queue, "float32" + width, config, questions, {}, 1e-5);
  }
}

void all_models(CudaQueue& queue, bool small) {
  const auto plain = cuda::AttentionKernels::plain;
  std::uint64_t seed = 1;
  model<float>(queue, "float32, tiny", test::tiny_config(false, true), 1, {.head_chunk = 5}, 1e-5, 1e-5,
               seed++);
  model<float>(queue, "float32, tied, recompute", test::tiny_config(true, false), 3, {.recompute = true},
               1e-5, 1e-5, seed++);
  for (const std::int32_t d : {64, 128}) {
    const std::string width = ", heads of " + std::to_string(d);
    const LlamaConfig config = with_heads(d, 64, 300);
    model<BFloat16>(queue, "bfloat16, tensor cores" + width, config, small ? 2 : 9,
                    {.attention = cuda::AttentionKernels::tensor}, 1e-2, 5e-2, seed++);
    if (SOLOPO_HAS_CUDNN && !small)
      model<BFloat16>(queue, "bfloat16, cuDNN" + width, config, 9,
                      {.attention = cuda::AttentionKernels::library}, 1e-2, 5e-2, seed++);
    model<BFloat16>(queue, "bfloat16, plain" + width, config, small ? 1 : 9, {.attention = plain}, 1e-2, 5e-2,
                    seed++);
    if (!small) model<float>(queue, "float32" + width, config, 9, {}, 1e-5, 1e-5, seed++);
  }
  if (!small) {
    model<float>(queue, "float32, wide", with_heads(64, 256, 2000), 11, {.head_chunk = 64}, 1e-5, 1e-5,
                 seed++);
    model<BFloat16>(queue, "bfloat16, wide, recompute", with_heads(64, 256, 2000), 11, {.recompute = true},
                    1e-2, 5e-2, seed++);
  }
}

// Ranks whose rows are aligned for tensor cores, and some that are not.
void all_adapters(CudaQueue& queue, bool small) {
  std::uint64_t seed = 100;
  for (const std::int32_t rank : {4, 5, 8, 16, 64}) {
    if (small && rank != 5) continue;
    using enum Projections;
    const std::string name = ", adapters of rank " + std::to_string(rank);
    const LlamaConfig wide = with_heads(64, 64, 300);
    const auto every = lora_of(wide, {.rank = rank, .alpha = 0.5 * rank}, seed),
               some = lora_of(wide, {.rank = rank, .alpha = 0.5 * rank, .targets = attention}, seed);
    if (!small) model<float>(queue, "float32" + name, wide, 2, {}, 1e-5, 1e-5, seed++, &every);
    model<float>(queue, "float32, attention only" + name, wide, 2, {.recompute = true, .head_chunk = 5}, 1e-5,
                 1e-5, seed++, &some);
    model<BFloat16>(queue, "bfloat16" + name, wide, small ? 1 : 9, {.recompute = true}, 1e-2, 5e-2, seed++,
                    &every);
    if (SOLOPO_HAS_CUDNN && !small)
      model<BFloat16>(queue, "bfloat16, cuDNN, attention only" + name, wide, 9,
                      {.attention = cuda::AttentionKernels::library}, 1e-2, 5e-2, seed++, &some);
  }
}

void all_training(CudaQueue& queue) {
  const LlamaConfig config = test::tiny_config();
  RandomStream random(7, "batch");
  const PackedSequences batch = test::mixed_batch(config.vocab_size, random, false);
  const auto ten_steps = [&](const char* name, std::optional<LoraWeights<float>> lora) {
    const auto losses =
        test::training_parity<float>(queue, test::random_weights<float>(config), batch, 10, std::move(lora));
    double worst = losses.first.front() == losses.first.back() ? 1 : 0;
    for (std::size_t s = 0; s < losses.first.size(); ++s)
      worst = std::max(worst, static_cast<double>(std::abs(losses.first[s] - losses.second[s])));
    expect(name, worst, 1e-4);
  };
  ten_steps("ten steps of training: loss", std::nullopt);
  ten_steps("ten steps of training, adapters: loss", initial_lora<float>(config, {.rank = 4, .alpha = 8}, 3));
}

}  // namespace

int main(int argc, char** argv) {
  bool small = false;
  std::set<std::string> sections;
  for (const std::string argument : std::vector<std::string>(argv + 1, argv + argc)) {
    if (argument == "--version") {
      std::puts("solopo " SOLOPO_VERSION);
      return 0;
    }
    argument == "--small" ? void(small = true) : void(sections.insert(argument));
  }
  if (cuda::device_count() == 0) {
    std::puts("skipped: device_test (no CUDA device)");
    return 77;
  }
  cudaDeviceProp properties{};
  cuda::check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  std::printf("device: %s, compute capability %d.%d\n", properties.name, properties.major, properties.minor);
  const auto asked = [&](const char* name) { return sections.empty() || sections.count(name) > 0; };
  try {
    CudaQueue queue;
    if (asked("models")) all_models(queue, small);
    if (asked("adapters")) all_adapters(queue, small);
    if (asked("generation")) all_generation(queue, small);
    if (asked("training")) all_training(queue);
  } catch (const Error& error) {
    std::printf("FAIL %s\n", error.what());
    return 1;
  }
  std::printf("%d checks, %d failed\n", checks, failures);
  return failures == 0 ? 0 : 1;
}
