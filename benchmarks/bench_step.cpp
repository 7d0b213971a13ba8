// One training step of SmolLM2-135M's shape, forward and backward, loss on the response rows: prints one JSON
// line a repetition, {"tokens", "seconds", "tokens_per_second", "forward_seconds", "peak_rss", ...},
// the same as benchmarks/peers/torch_step.py does for PyTorch.
//   bench_step [--tokens 1024] [--response 32] [--repetitions 3] [--threads 0] [--recompute] [--stdin]
// --stdin: one repetition for each line read, so that a driver can take turns with another program.
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/model/llama.hpp"

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int usage() {
  std::fputs(
      "usage: bench_step [--tokens N] [--response N] [--repetitions N] [--threads N] [--recompute] "
      "[--stdin]\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  long tokens = 1024, response = 32, repetitions = 3, threads = 0;
  bool recompute = false, from_stdin = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    long* value = option == "--tokens"        ? &tokens
                  : option == "--response"    ? &response
                  : option == "--repetitions" ? &repetitions
                  : option == "--threads"     ? &threads
                                              : nullptr;
    if (option == "--recompute") {
      recompute = true;
    } else if (option == "--stdin") {
      from_stdin = true;
    } else if (value != nullptr && i + 1 < argc) {
      *value = std::strtol(argv[++i], nullptr, 10);
    } else {
      return usage();
    }
  }
  if (tokens < 2 || response < 1 || response >= tokens || repetitions < 1) return usage();

  solopo::kernels::set_thread_count(static_cast<int>(threads));

  const solopo::LlamaConfig config{.model_type = "llama",
                                   .vocab_size = 49152,
                                   .hidden_size = 576,
                                   .intermediate_size = 1536,
                                   .num_hidden_layers = 30,
                                   .num_attention_heads = 9,
                                   .num_key_value_heads = 3,
                                   .head_dim = 64,
                                   .max_position_embeddings = 1 << 20,
                                   .rms_norm_eps = 1e-5,
                                   .rope_theta = 100000.0,
                                   .tie_word_embeddings = true};
  solopo::LlamaWeights<float> weights(config);
  solopo::RandomStream random(1, "bench");
  for (const solopo::TensorSlot& slot : weights.layout.slots())
    for (std::size_t i = 0; i < slot.size; ++i)
      weights.data[slot.offset + i] =
          slot.shape.size() == 1 ? 1.0f : static_cast<float>(0.04 * random.uniform() - 0.02);
  std::vector<float> gradients(weights.layout.size(), 0.0f);
  const auto ids = [&](long n) {
    std::vector<std::int32_t> out(static_cast<std::size_t>(n));
    for (std::int32_t& t : out) t = static_cast<std::int32_t>(random.below(49152));
    return out;
  };
  solopo::PackedSequences batch;
  // The last response token has no row: one more response token makes `tokens` rows, as a peer computes them.
  batch.append(ids(tokens - response), ids(response + 1));
  const std::vector<float> coefficient = {1.0f};
  solopo::Llama<float> model(weights, {.recompute = recompute});
  model.forward(batch);  // the first run pays for touching memory
  model.backward(coefficient, gradients);
  std::string line;
  for (long r = 0; from_stdin ? static_cast<bool>(std::getline(std::cin, line)) : r < repetitions; ++r) {
    const double start = seconds();
    const float logp = model.forward(batch)[0];
    const double middle = seconds();
    model.backward(coefficient, gradients);
    const double end = seconds();
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    std::printf(
        "{\"system\":\"solopo\",\"product\":\"%s\",\"threads\":%d,\"dtype\":\"float32\",\"tokens\":%ld,"
        "\"response\":%ld,\"recompute\":%s,\"seconds\":%.6f,\"forward_seconds\":%.6f,"
        "\"tokens_per_second\":%.2f,\"peak_rss\":%lld,\"logp\":%.6g}\n",
        solopo::kernels::DefaultProduct::name, solopo::kernels::thread_count(), tokens, response,
        recompute ? "true" : "false", end - start, middle - start,
        static_cast<double>(tokens) / (end - start), static_cast<long long>(use.ru_maxrss) * 1024,
        static_cast<double>(logp));
    std::fflush(stdout);
  }
  return 0;
}
