// What the benchmark programs share: options, a clock, taking turns, and one JSON line a measurement. Lines
// hold every round's seconds, `rounds`; ratios and their spread are made of them afterwards (table.py).
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "solopo/core/random.hpp"
#include "solopo/io/json.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/parallel.hpp"

namespace solopo::bench {

// `--name N` and `--name`; what every program takes is there already.
class Options {
 public:
  long repetitions = 10, threads = 0;
  bool cpu_time = false;  // the processor's time, for a machine that others use; with one thread only

  explicit Options(std::string program) : program_(std::move(program)) {
    number("--repetitions", repetitions).number("--threads", threads).flag("--cpu-time", cpu_time);
  }
  Options& number(const char* name, long& value) {
    numbers_.emplace_back(name, &value);
    return *this;
  }
  Options& flag(const char* name, bool& value) {
    flags_.emplace_back(name, &value);
    return *this;
  }
  Options& text(const char* name, std::string& value) {
    texts_.emplace_back(name, &value);
    return *this;
  }
  // Sets the number of threads too. Ends the program when an option is unknown or a number is not above 0.
  void parse(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view option = argv[i];
      bool known = false;
      for (const auto& [name, value] : flags_)
        if (option == name) known = *value = true;
      for (const auto& [name, value] : texts_)
        if (option == name && i + 1 < argc) {
          known = true;
          *value = argv[++i];
        }
      for (const auto& [name, value] : numbers_)
        if (option == name && i + 1 < argc) {
          known = true;
          *value = std::strtol(argv[++i], nullptr, 10);
          if (*value < 1) usage();
        }
      if (!known) usage();
    }
    if (cpu_time && threads != 1) usage();
    kernels::set_thread_count(static_cast<int>(threads));
  }

 private:
  [[noreturn]] void usage() const {
    std::string line = "usage: " + program_;
    for (const auto& [name, value] : numbers_) line += std::string(" [") + name + " N]";
    for (const auto& [name, value] : texts_) line += std::string(" [") + name + " TEXT]";
    for (const auto& [name, value] : flags_) line += std::string(" [") + name + "]";
    std::fprintf(stderr, "%s\n--cpu-time needs --threads 1\n", line.c_str());
    std::exit(2);
  }

  std::string program_;
  std::vector<std::pair<const char*, long*>> numbers_;
  std::vector<std::pair<const char*, std::string*>> texts_;
  std::vector<std::pair<const char*, bool*>> flags_;
};

inline double now(const Options& options) {
  if (options.cpu_time) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline std::int64_t peak_rss() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<std::int64_t>(use.ru_maxrss) * 1024;
}

struct Timed {
  std::function<void()> run;
  std::vector<double> rounds{};  // [s]
};

// Runs everything once, which pays for touching memory, and then in turn, round after round.
inline void in_turn(std::span<Timed> things, const Options& options) {
  for (long r = -1; r < options.repetitions; ++r)
    for (Timed& thing : things) {
      const double begin = now(options);
      thing.run();
      if (r >= 0) thing.rounds.push_back(now(options) - begin);
    }
}

// One line: `bench`, how it was measured, and what is in `values`.
inline void print_line(const char* bench, const Options& options, io::Json values) {
  values["bench"] = bench;
  values["threads"] = kernels::thread_count();
  values["clock"] = options.cpu_time ? "cpu" : "wall";
  std::printf("%s\n", values.dump().c_str());
  std::fflush(stdout);
}

// Small numbers of both signs, the same each time.
inline kernels::AlignedVector<float> numbers(std::size_t n) {
  kernels::AlignedVector<float> out(n);
  std::uint32_t state = 1;
  for (float& x : out) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) * (0.04f / 16777216.0f) - 0.02f;
  }
  return out;
}

}  // namespace solopo::bench
