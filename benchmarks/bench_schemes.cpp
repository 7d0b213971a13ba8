// The ways of training on one record that Llama runs, measured in turn and set against the cost model: prints
// one JSON line a scheme, {"scheme", "seconds", "measured_over_v", "predicted_over_v", "measured_over_v_ps",
// ...}, medians over the repetitions, each of which runs every scheme once.
//   bench_schemes [--prompt 4096] [--short 1024] [--response 200] [--repetitions 5] [--threads 0]
//                 [--recompute] [--cpu-time]
// --cpu-time: the processor's time, not the clock's, for a machine that others use; with --threads 1 only.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "scheme_batch.hpp"
#include "solopo/core/random.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/cost/named_schemes.hpp"
#include "solopo/model/llama.hpp"
#include "solopo/model/model_cost.hpp"

namespace {

using solopo::bench::config_of, solopo::bench::Ids, solopo::bench::median;
using solopo::cost::Count;

struct Trial {
  const solopo::cost::NamedScheme* scheme;
  std::vector<solopo::PackedSequences> batches{};  // that run one after the other
  std::vector<double> seconds{};
};

// All but the last batch without a gradient, the last one with it, and the others again.
void run(solopo::Llama<float>& model, const Trial& trial, std::span<float> gradients) {
  for (std::size_t i = 0; i + 1 < trial.batches.size(); ++i) model.response_logps(trial.batches[i]);
  for (std::size_t i = trial.batches.size(); i-- > 0;) {
    const std::vector<float> dlogps(static_cast<std::size_t>(trial.batches[i].responses), 1.0f);
    model.forward(trial.batches[i]);
    model.backward(dlogps, gradients);
  }
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
  long prompt = 4096, short_prompt = 1024, response = 200, repetitions = 5, threads = 0;
  bool recompute = false, cpu_time = false, sound = true;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    long* value = option == "--prompt"        ? &prompt
                  : option == "--short"       ? &short_prompt
                  : option == "--response"    ? &response
                  : option == "--repetitions" ? &repetitions
                  : option == "--threads"     ? &threads
                                              : nullptr;
    if (option == "--recompute") {
      recompute = true;
    } else if (option == "--cpu-time") {
      cpu_time = true;
    } else if (value != nullptr && i + 1 < argc) {
      *value = std::strtol(argv[++i], nullptr, 10);
    } else {
      sound = false;
    }
  }
  if (!sound || prompt < 1 || short_prompt < 1 || response < 1 || repetitions < 1 ||
      (cpu_time && threads != 1)) {
    std::fputs(
        "usage: bench_schemes [--prompt N] [--short N] [--response N] [--repetitions N] [--threads N] "
        "[--recompute] [--cpu-time]\n",
        stderr);
    return 2;
  }
  solopo::kernels::set_thread_count(static_cast<int>(threads));

  const solopo::cost::ModelShape& shape = solopo::cost::find_model_shape("smollm2-135m");
  const solopo::LlamaConfig config = config_of(shape);
  solopo::LlamaWeights<float> weights(config);
  solopo::RandomStream random(1, "bench");
  for (const solopo::TensorSlot& slot : weights.layout.slots())
    for (std::size_t i = 0; i < slot.size; ++i)
      weights.data[slot.offset + i] =
          slot.shape.size() == 1 ? 1.0f : static_cast<float>(0.04 * random.uniform() - 0.02);
  std::vector<float> gradients(weights.layout.size(), 0.0f);
  const auto ids = [&](long n) {
    Ids out(static_cast<std::size_t>(n));
    for (std::int32_t& t : out) t = static_cast<std::int32_t>(random.below(49152));
    return out;
  };
  const Ids long_ids = ids(prompt), short_ids = ids(short_prompt), chosen = ids(response),
            rejected = ids(response);

  std::vector<Trial> trials;
  for (const char* name : {"V", "V+PS", "S", "S+PS", "S+PS, two passes", "S+PS+RO"}) {
    Trial trial{&solopo::cost::find_scheme(name)};
    trial.batches =
        solopo::bench::scheme_batches(trial.scheme->scheme, short_ids, long_ids, chosen, rejected);
    trials.push_back(std::move(trial));
  }

  const auto now = [&] { return cpu_time ? static_cast<double>(std::clock()) / CLOCKS_PER_SEC : seconds(); };
  solopo::Llama<float> model(weights, {.recompute = recompute});
  for (long r = -1; r < repetitions; ++r)  // the first round pays for touching memory
    for (Trial& trial : trials) {
      const double begin = now();
      run(model, trial, gradients);
      if (r >= 0) trial.seconds.push_back(now() - begin);
    }

  const auto predicted = [&](const Trial& trial) {
    const solopo::cost::RecordWork work =
        solopo::llama_work({short_prompt, prompt, response, response}, trial.scheme->scheme);
    return record_flops(shape, work, solopo::llama_training(recompute)).total();
  };
  const auto over = [](const Trial& a, const Trial& b) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < a.seconds.size(); ++i) ratios.push_back(a.seconds[i] / b.seconds[i]);
    return median(std::move(ratios));
  };
  Count rows = 0, scored = 0;
  for (const Trial& trial : trials) {
    for (const solopo::PackedSequences& batch : trial.batches) {
      rows = std::max(rows, solopo::work_of(batch).tokens);
      scored = std::max(scored, solopo::work_of(batch).head_rows);
    }
    std::printf(
        "{\"scheme\":\"%s\",\"prompt\":%ld,\"short\":%ld,\"response\":%ld,\"product\":\"%s\",\"threads\":%d,"
        "\"clock\":\"%s\",\"seconds\":%.4f,\"gflops\":%.1f,\"measured_over_v\":%.3f,\"predicted_over_v\":%."
        "3f,"
        "\"measured_over_v_ps\":%.3f,\"predicted_over_v_ps\":%.3f,\"rounds\":[",
        trial.scheme->name, prompt, short_prompt, response, solopo::kernels::DefaultProduct::name,
        solopo::kernels::thread_count(), cpu_time ? "cpu" : "wall", median(trial.seconds),
        predicted(trial) / median(trial.seconds) / 1e9, over(trial, trials[0]),
        predicted(trial) / predicted(trials[0]), over(trial, trials[1]),
        predicted(trial) / predicted(trials[1]));
    for (std::size_t i = 0; i < trial.seconds.size(); ++i)
      std::printf("%s%.6f", i == 0 ? "" : ",", trial.seconds[i]);
    std::printf("]}\n");
  }
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const solopo::cost::MemoryBytes memory =
      solopo::cost::training_memory(shape, rows, scored, solopo::llama_memory(recompute));
  std::printf("{\"arena_bytes\":%lld,\"predicted_bytes\":%lld,\"peak_rss\":%lld}\n",
              static_cast<long long>(model.peak_bytes()),
              static_cast<long long>(memory.total() - memory.optimiser),
              static_cast<long long>(use.ru_maxrss) * 1024);
  return 0;
}
