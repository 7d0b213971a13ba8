// Kernels that are bound by memory, each against a copy that moves as many bytes, in turn. Bytes are what has
// to be read and written once: tables and weights of one row are not counted.
//   bench_rows [--rows 16384] [--weights 16777216] [--repetitions 10] [--threads N]
#include <cstring>

#include "measure.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/kernels/rms_norm.hpp"
#include "solopo/kernels/rotary.hpp"
#include "solopo/kernels/swiglu.hpp"
#include "solopo/kernels/team.hpp"
#include "solopo/train/optimizer.hpp"

namespace {

using namespace solopo;

struct Kernel {
  const char* name;
  double bytes;
  std::function<void()> run;
};

template <class F>
void each_row(std::ptrdiff_t rows, F&& f) {  // as model/llama_layer.hpp deals rows out
  kernels::parallel_ranges(rows, 16, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) f(i);
  });
}

}  // namespace

int main(int argc, char** argv) {
  long rows = 16384, weights = 1 << 24;
  bench::Options options("bench_rows");
  options.number("--rows", rows).number("--weights", weights);
  options.parse(argc, argv);
  const cost::ModelShape& s = cost::find_model_shape("smollm2-135m");
  const int c = static_cast<int>(s.width), f = static_cast<int>(s.ffn), d = static_cast<int>(s.head_dim);
  const int heads = static_cast<int>(s.heads + s.kv_heads);
  const auto array = [&](cost::Count width) {
    return bench::numbers(static_cast<std::size_t>(rows * width));
  };
  const auto of = [&](kernels::AlignedVector<float>& x) {
    return dense(x.data(), rows, static_cast<std::ptrdiff_t>(x.size()) / rows);
  };
  auto x = array(c), y = x, dx = x, gate_up = array(2 * f), dgate_up = gate_up, hidden = array(f),
       dhidden = hidden, qkv = array(s.qkv_width()), norm = bench::numbers(static_cast<std::size_t>(c)),
       dnorm = norm;
  const kernels::RotaryTable<float> rotary(static_cast<int>(rows), d, 100000.0);
  const kernels::CpuTeam team;
  const float eps = 1e-5f;
  auto w = bench::numbers(static_cast<std::size_t>(weights)), g = w;
  const TensorSlot slot{.name = "w", .shape = {weights}, .offset = 0, .size = w.size()};
  AdamW adamw({&slot, 1}, w.size());

  const auto bytes = [&](double arrays, double width) {
    return 4.0 * arrays * width * static_cast<double>(rows);
  };
  const Kernel kernels_[] = {
      {"RMSNorm forward", bytes(2, c),
       [&] {
         each_row(rows, [&](std::ptrdiff_t i) {
           kernels::rms_norm_row(team, of(x).row(i), norm.data(), of(y).row(i), c, eps);
         });
       }},
      // With the weight's gradient, as the layer does it: a second sweep over x and dy.
      {"RMSNorm backward", bytes(4, c),
       [&] {
         kernels::AlignedVector<float> scale(static_cast<std::size_t>(rows));
         each_row(rows, [&](std::ptrdiff_t i) {
           scale[static_cast<std::size_t>(i)] = kernels::rms_norm_row_backward(
               team, of(x).row(i), norm.data(), of(y).row(i), of(dx).row(i), c, eps);
         });
         kernels::parallel_ranges(c, 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
           for (std::ptrdiff_t r = 0; r < rows; ++r) {
             const float scale_r = scale[static_cast<std::size_t>(r)];
             const float *xr = of(x).row(r) + begin, *dyr = of(y).row(r) + begin;
             float* const dw = dnorm.data() + begin;
             team.each(static_cast<int>(end - begin), [&](int i) { dw[i] += dyr[i] * xr[i] * scale_r; });
           }
         });
       }},
      {"SwiGLU forward", bytes(3, f),
       [&] {
         each_row(rows, [&](std::ptrdiff_t i) {
           kernels::swiglu_row(team, of(gate_up).row(i), of(gate_up).row(i) + f, of(hidden).row(i), f);
         });
       }},
      {"SwiGLU backward", bytes(6, f),
       [&] {
         each_row(rows, [&](std::ptrdiff_t i) {
           const float* gate = of(gate_up).row(i);
           kernels::swiglu_row_backward(team, gate, gate + f, of(dhidden).row(i), of(hidden).row(i),
                                        of(dgate_up).row(i), of(dgate_up).row(i) + f, f);
         });
       }},
      {"rotary", bytes(2, heads * d),
       [&] {
         each_row(rows, [&](std::ptrdiff_t i) {
           for (int h = 0; h < heads; ++h)
             kernels::rotary_head(team, of(qkv).row(i) + h * d, rotary.cos(static_cast<int>(i)),
                                  rotary.sin(static_cast<int>(i)), d, 1.0f);
         });
       }},
      {"AdamW", 4.0 * 7 * static_cast<double>(weights), [&] { adamw.step(w, g, 1e-6); }},
  };

  for (const Kernel& kernel : kernels_) {
    const auto half = static_cast<std::ptrdiff_t>(kernel.bytes / 8);
    const auto from = bench::numbers(static_cast<std::size_t>(half));
    auto to = from;
    bench::Timed timed[] = {{kernel.run}, {[&] {
                              kernels::parallel_ranges(half, 4096, [&](std::ptrdiff_t b, std::ptrdiff_t e) {
                                std::memcpy(to.data() + b, from.data() + b,
                                            static_cast<std::size_t>(e - b) * 4);
                              });
                            }}};
    bench::in_turn(timed, options);
    bench::print_line("rows", options,
                      {{"kernel", kernel.name},
                       {"rows", rows},
                       {"bytes", kernel.bytes},
                       {"rounds", timed[0].rounds},
                       {"copy_rounds", timed[1].rounds}});
  }
  return 0;
}
