// Generation with SmolLM2-135M's shape: a prompt is read, then samples continue it together. Prints one JSON
// line for each number of samples, with every round's seconds for reading the prompt, for the tokens after
// the first, and for one reading of the weights from memory, which no token can be quicker than.
//   bench_generation [--prompt 256] [--new 32] [--dtype float32|bf16] [--repetitions 10] [--threads N]
//   [--stdin]
// --stdin: one measurement for each line read, a number of samples, so that a driver can take turns with
// another program.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dtype.hpp"
#include "measure.hpp"
#include "random_model.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/kernels/chosen_product.hpp"
#include "solopo/kernels/team.hpp"
#include "solopo/model/decoder.hpp"

namespace {

using namespace solopo;

// All weights added up, in vectors, by all threads.
template <class T>
float sum_of(std::span<const T> values) {
  constexpr std::ptrdiff_t piece = 1 << 16;
  const auto n = static_cast<std::ptrdiff_t>(values.size());
  std::vector<float> sums(static_cast<std::size_t>((n + piece - 1) / piece));
  kernels::parallel_ranges(
      static_cast<std::ptrdiff_t>(sums.size()), 1, [&](std::ptrdiff_t from, std::ptrdiff_t to) {
        for (std::ptrdiff_t p = from; p < to; ++p) {
          const T* x = values.data() + p * piece;
          const auto count = static_cast<int>(std::min(piece, n - p * piece));
          sums[static_cast<std::size_t>(p)] =
              kernels::CpuTeam{}.sum<float>(count, [&](int i) { return static_cast<float>(x[i]); });
        }
      });
  float out = 0;
  for (const float s : sums) out += s;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  long prompt = 256, fresh = 32;
  bool from_stdin = false;
  std::string dtype = "float32";
  bench::Options options("bench_generation");
  options.number("--prompt", prompt)
      .number("--new", fresh)
      .flag("--stdin", from_stdin)
      .text("--dtype", dtype);
  options.parse(argc, argv);
  if (fresh < 2) {
    std::fputs("bench_generation: --new must be 2 or more\n", stderr);
    return 2;
  }
  const bool bf16 = bench::choose_dtype("bench_generation", dtype);

  const cost::ModelShape shape = cost::find_model_shape("smollm2-135m");
  bench::RandomModel model(bench::config_of(shape));
  BasicDecoder<CpuDecoderEngine<kernels::ChosenProduct>> decoder(model.weights);
  const kernels::AlignedVector<BFloat16> rounded =
      kernels::rounded_for<kernels::ChosenProduct>(model.weights.data);
  const bench::Ids ids = model.ids(prompt);
  [[maybe_unused]] volatile float sink = 0;
  const auto measure = [&](std::int32_t samples) {
    const double begin = bench::now(options);
    decoder.read_prompt(ids);
    const double read = bench::now(options);
    const auto answers = decoder.generate(
        {.max_new_tokens = static_cast<std::int32_t>(fresh), .temperature = 1, .samples = samples});
    const double end = bench::now(options);
    sink = static_cast<float>(answers.front().logp);
    return std::pair(read - begin, end - read);
  };
  const auto line = [&](std::int32_t samples, long rounds) {
    std::vector<double> reading, tokens, weights;
    for (long r = -1; r < rounds; ++r) {  // the first run pays for touching memory
      const auto [a, b] = measure(samples);
      const double begin = bench::now(options);
      sink = bf16 ? sum_of<BFloat16>(rounded) : sum_of<float>(model.weights.data);
      const double end = bench::now(options);
      if (r < 0) continue;
      reading.push_back(a);
      tokens.push_back(b);
      weights.push_back(end - begin);
    }
    // Of the first token nothing but the draw is in the time.
    bench::print_line(
        "generation", options,
        {{"samples", samples},
         {"dtype", dtype},
         {"prompt", prompt},
         {"new_tokens", fresh},
         {"steps", fresh - 1},
         {"reading_rounds", reading},
         {"rounds", tokens},
         {"weights_rounds", weights},
         {"weight_bytes", (bf16 ? sizeof(BFloat16) : sizeof(float)) * model.weights.data.size()}});
  };
  if (from_stdin) {
    measure(1);
    for (std::string text; std::getline(std::cin, text);) {
      const auto [reading, tokens] = measure(static_cast<std::int32_t>(std::stoi(text)));
      bench::print_line("generation", options, {{"samples", std::stoi(text)}, {"seconds", reading + tokens}});
    }
    return 0;
  }
  for (const std::int32_t samples : {1, 8, 16}) line(samples, options.repetitions);
  if (bf16) line(64, options.repetitions);
  return 0;
}
