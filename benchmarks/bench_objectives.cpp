// How fast losses of many pairs are computed, against a memory copy that moves as many bytes: half of what an
// objective reads and writes in all is copied to another place. One thread, 2^20 pairs as struct of arrays,
// each line the median of 15 runs, all lines in random turns. Takes Google Benchmark's options.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <solopo/solopo.hpp>
#include <string>
#include <vector>

using namespace solopo;

namespace {

constexpr std::size_t pairs = std::size_t{1} << 20;

std::vector<float> numbers(std::uint64_t seed, float least, float greatest) {
  RandomStream random(seed, "bench_objectives");
  std::vector<float> out(pairs);
  for (float& x : out) x = least + (greatest - least) * static_cast<float>(random.uniform());
  return out;
}

std::vector<float> lengths(std::uint64_t seed) {
  std::vector<float> out = numbers(seed, 20, 200);
  for (float& x : out) x = std::floor(x);
  return out;
}

PairBatch<std::vector<float>> batch() {
  const auto role = [](std::uint64_t seed) {
    return ResponseBatch<std::vector<float>>{numbers(seed, -120, -20), numbers(seed + 1, -120, -20),
                                             lengths(seed + 2)};
  };
  return {.chosen = role(1), .rejected = role(4), .chosen_long = role(7)};
}

template <class O>
void losses(benchmark::State& state, std::size_t bytes) {
  static const PairBatch<std::vector<float>> in = batch();
  std::vector<float> loss(pairs), chosen(pairs), rejected(pairs), chosen_long(pairs);
  const PairLossSpans<float> out{loss, chosen, rejected, chosen_long};
  for (auto _ : state) {
    pair_losses(O{}, in, out, 1.0f / pairs);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes * pairs));
}

void copy(benchmark::State& state, std::size_t bytes) {
  const std::vector<char> from(bytes / 2 * pairs, 1);
  std::vector<char> to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes * pairs));
}

// Collects medians and prints them when all runs are done.
class Ratios : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.aggregate_name == "median")
        rate_[run.run_name.function_name] = run.counters.at("bytes_per_second");
    }
  }
  void print(const std::string& name, std::size_t bytes) {
    const double rate = rate_[name], copied = rate_["copy " + std::to_string(bytes)];
    std::printf("%-14s %8zu %10.2f %10.2f %10.2f\n", name.c_str(), bytes, rate * 1e-9, copied * 1e-9,
                copied / rate);
  }

 private:
  std::map<std::string, double> rate_;
};

struct Line {
  const char* name;
  std::size_t bytes;  // a pair: read and written
  void (*run)(benchmark::State&, std::size_t);
};
constexpr Line lines[] = {
    {"DPO", 4 * 4 + 3 * 4, losses<DPO>},
    {"SimPO", 4 * 4 + 3 * 4, losses<SimPO>},
    {"ORPO", 4 * 4 + 3 * 4, losses<ORPO>},
    {"SoLoPO<DPO>", 6 * 4 + 4 * 4, losses<SoLoPO<DPO>>},
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> options{argv[0], "--benchmark_repetitions=15", "--benchmark_min_time=0.05",
                                   "--benchmark_enable_random_interleaving=true"};
  options.insert(options.end(), argv + 1, argv + argc);
  std::vector<char*> arguments;
  for (std::string& option : options) arguments.push_back(option.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  for (const Line& line : lines) benchmark::RegisterBenchmark(line.name, line.run, line.bytes);
  for (const std::size_t bytes : {28, 40})
    benchmark::RegisterBenchmark(("copy " + std::to_string(bytes)).c_str(), copy, bytes);
  Ratios ratios;
  benchmark::RunSpecifiedBenchmarks(&ratios);
  std::printf("%-14s %8s %10s %10s %10s\n", "objective", "B/pair", "GB/s", "copy GB/s", "time/copy");
  for (const Line& line : lines) ratios.print(line.name, line.bytes);
}
