// What this machine can do: multiply-adds in registers, copies in memory, and the float32 products of a
// training step with our product and with every other library that is found, in turn; where the processor
// multiplies bfloat16, those products in it as well, of operands that are rounded already.
//   bench_machine [--tokens 1024] [--scored 400] [--megabytes 128] [--repetitions 10] [--threads N]
// Libraries are looked for by name (LD_LIBRARY_PATH adds folders). Each gets the same number of threads. Ours
// and oneDNN use OpenMP's, OpenBLAS and BLIS usually threads of their own, which may spin for a while after
// their work: before a library's turn there is a pause, and a product of the same shape that is not timed.
#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "measure.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/kernels/lm_head.hpp"
#include "step_products.hpp"

namespace {

using namespace solopo;
using bench::Options, bench::ProductShape, bench::Timed;

// Independent chains of multiply-adds on vectors of this many bytes: twice a chain's latency hides behind 12.
template <int Bytes, class T = float>  // g++ 12 takes a vector's size only of a type that is a parameter too
struct Chains {
  static constexpr int count = 12;
  typedef T Vector __attribute__((vector_size(Bytes)));

  static double flops(long steps) { return 2.0 * count * (Bytes / 4) * static_cast<double>(steps); }

  static float run(long steps) {
    volatile float start = 0.5f;
    const float s = start;
    Vector x, sums[count];
    for (int l = 0; l < Bytes / 4; ++l) x[l] = s;
    for (int c = 0; c < count; ++c) sums[c] = x * (1.0f + static_cast<float>(c));
    for (long i = 0; i < steps; ++i)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 12
#endif
      for (int c = 0; c < count; ++c) sums[c] = sums[c] * x + x;
    float sum = 0;
    for (int c = 0; c < count; ++c)
      for (int l = 0; l < Bytes / 4; ++l) sum += sums[c][l];
    return sum;
  }
};

template <int Bytes>
void fma(const Options& options) {
  const long steps = 5'000'000;
  const int threads = kernels::thread_count();
  [[maybe_unused]] volatile float sink = 0;
  Timed timed[] = {{[&] {
    std::vector<float> sums(static_cast<std::size_t>(threads) * 16);
    kernels::parallel_for(threads, [&](std::ptrdiff_t i) {
      sums[static_cast<std::size_t>(i) * 16] = Chains<Bytes>::run(steps);
    });
    sink = sums[0];
  }}};
  bench::in_turn(timed, options);
  bench::print_line(
      "fma", options,
      {{"bits", Bytes * 8}, {"flops", Chains<Bytes>::flops(steps) * threads}, {"rounds", timed[0].rounds}});
}

void copy(const Options& options, std::size_t bytes) {
  kernels::AlignedVector<float> from = bench::numbers(bytes / 4), to = bench::numbers(bytes / 4);
  const auto n = static_cast<std::ptrdiff_t>(from.size());
  Timed timed[] = {{[&] {
    kernels::parallel_ranges(n, 4096, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      std::memcpy(&to[static_cast<std::size_t>(begin)], &from[static_cast<std::size_t>(begin)],
                  static_cast<std::size_t>(end - begin) * 4);
    });
  }}};
  bench::in_turn(timed, options);
  bench::print_line("copy", options, {{"bytes", 8 * from.size()}, {"rounds", timed[0].rounds}});
}

std::string line_of_cpuinfo(const char* key) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.rfind(key, 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "";
}

void machine(const Options& options) {
  std::vector<std::string> isa, compiled;
  const std::string flags = " " + line_of_cpuinfo("flags") + " ";
  for (const char* name : {"avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16"})
    if (flags.find(std::string(" ") + name + " ") != std::string::npos) isa.emplace_back(name);
#if defined(__AVX2__)
  compiled.emplace_back("avx2");
#endif
#if defined(__FMA__)
  compiled.emplace_back("fma");
#endif
#if defined(__AVX512F__)
  compiled.emplace_back("avx512f");
#endif
  cpu_set_t set;
  const int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  bench::print_line("machine", options,
                    {{"processor", line_of_cpuinfo("model name")},
                     {"cores", cores},
                     {"isa", isa},
                     {"compiled_for", compiled},
                     {"matrix_library", kernels::DefaultProduct::name},
                     {"memory_bytes", static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                                          static_cast<double>(sysconf(_SC_PAGE_SIZE))}});
}

using DnnlSgemm = int (*)(char, char, std::int64_t, std::int64_t, std::int64_t, float, const float*,
                          std::int64_t, const float*, std::int64_t, float, float*, std::int64_t);
using CblasSgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float,
                            float*, int);

struct Library {
  std::string name;
  std::string threads;  // whose threads it works with
  std::function<void(bool, bool, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, float, const float*,
                     std::ptrdiff_t, const float*, std::ptrdiff_t, float, float*, std::ptrdiff_t)>
      gemm;
};

template <class F>
F symbol(void* library, const char* name) {
  return reinterpret_cast<F>(dlsym(library, name));
}

void* open_first(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (void* const library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  return nullptr;
}

auto by_cblas(CblasSgemm sgemm) {
  return [sgemm](bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha,
                 const float* a, std::ptrdiff_t lda, const float* b, std::ptrdiff_t ldb, float beta, float* c,
                 std::ptrdiff_t ldc) {
    constexpr int row_major = 101, plain = 111, transposed = 112;
    const auto i = [](std::ptrdiff_t x) { return static_cast<int>(x); };
    sgemm(row_major, ta ? transposed : plain, tb ? transposed : plain, i(m), i(n), i(k), alpha, a, i(lda), b,
          i(ldb), beta, c, i(ldc));
  };
}

std::vector<Library> libraries(std::vector<std::string>& missing) {
  const int threads = kernels::thread_count();
  std::vector<Library> out{{std::string("ours (") + kernels::DefaultProduct::name + ")", "OpenMP",
                            kernels::DefaultProduct::gemm<float>}};
  if (void* const blas = open_first({"libopenblas.so.0", "libopenblas.so"});
      blas && symbol<CblasSgemm>(blas, "cblas_sgemm")) {
    const auto set = symbol<void (*)(int)>(blas, "openblas_set_num_threads");
    if (set) set(threads);
    const auto kind = symbol<int (*)()>(blas, "openblas_get_parallel");
    const int parallel = kind ? kind() : 1;
    out.push_back({"OpenBLAS",
                   parallel == 2   ? "OpenMP"
                   : parallel == 1 ? "its own"
                                   : "none",
                   by_cblas(symbol<CblasSgemm>(blas, "cblas_sgemm"))});
  } else {
    missing.emplace_back("OpenBLAS");
  }
  if (void* const blis = open_first({"libblis.so.4", "libblis.so"});
      blis && symbol<CblasSgemm>(blis, "cblas_sgemm")) {
    const auto set = symbol<void (*)(std::int64_t)>(blis, "bli_thread_set_num_threads");
    if (set) set(threads);
    out.push_back({"BLIS", "its own", by_cblas(symbol<CblasSgemm>(blis, "cblas_sgemm"))});
  } else {
    missing.emplace_back("BLIS");
  }
  if (void* const dnnl = open_first({"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"});
      dnnl && symbol<DnnlSgemm>(dnnl, "dnnl_sgemm")) {
    const auto sgemm = symbol<DnnlSgemm>(dnnl, "dnnl_sgemm");
    out.push_back({"oneDNN", "OpenMP",
                   [sgemm](bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                           float alpha, const float* a, std::ptrdiff_t lda, const float* b,
                           std::ptrdiff_t ldb, float beta, float* c, std::ptrdiff_t ldc) {
                     sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
                   }});
  } else {
    missing.emplace_back("oneDNN");
  }
  return out;
}

void products(const Options& options, const std::vector<ProductShape>& shapes, std::ptrdiff_t tokens) {
  std::vector<std::string> missing;
  const std::vector<Library> all = libraries(missing);
  bench::ProductArrays arrays(shapes);
  std::vector<std::vector<std::vector<double>>> rounds(all.size(),
                                                       std::vector<std::vector<double>>(shapes.size()));
  for (long r = 0; r < options.repetitions; ++r)
    for (std::size_t l = 0; l < all.size(); ++l) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      for (std::size_t s = 0; s < shapes.size(); ++s) {
        arrays.run(shapes[s], all[l].gemm);
        const double begin = bench::now(options);
        arrays.run(shapes[s], all[l].gemm);
        rounds[l][s].push_back(bench::now(options) - begin);
      }
    }
  for (std::size_t l = 0; l < all.size(); ++l)
    for (std::size_t s = 0; s < shapes.size(); ++s) {
      const ProductShape& p = shapes[s];
      bench::print_line("product", options,
                        {{"library", all[l].name},
                         {"ours", l == 0},
                         {"library_threads", all[l].threads},
                         {"tokens", tokens},
                         {"shape", p.name},
                         {"m", p.m},
                         {"n", p.n},
                         {"k", p.k},
                         {"times", p.times},
                         {"flops", p.flops()},
                         {"rounds", rounds[l][s]}});
    }
  bench::print_line("products_missing", options, {{"libraries", missing}});
}

void bf16_products(const Options& options, const std::vector<ProductShape>& shapes, std::ptrdiff_t tokens) {
  bench::Bf16ProductArrays arrays(shapes);
  for (const ProductShape& p : shapes) {
    Timed timed[] = {{[&] { arrays.run(p); }}};
    bench::in_turn(timed, options);
    bench::print_line("bf16_product", options,
                      {{"library", kernels::NativeBf16Product::name},
                       {"tokens", tokens},
                       {"shape", p.name},
                       {"times", p.times},
                       {"flops", p.flops()},
                       {"rounds", timed[0].rounds}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  long tokens = 1024, scored = 400, megabytes = 128;
  Options options("bench_machine");
  options.number("--tokens", tokens).number("--scored", scored).number("--megabytes", megabytes);
  options.parse(argc, argv);
  machine(options);
  fma<16>(options);
#if defined(__AVX2__)
  fma<32>(options);
#endif
#if defined(__AVX512F__)
  fma<64>(options);
#endif
  copy(options, static_cast<std::size_t>(megabytes) << 20);
  const cost::ModelShape& shape = cost::find_model_shape("smollm2-135m");
  std::vector<ProductShape> shapes = bench::layer_products(shape, tokens);
  for (const ProductShape& s :
       bench::head_products(shape, scored, std::min<long>(scored, kernels::head_tile_rows)))
    shapes.push_back(s);
  products(options, shapes, tokens);
  if (kernels::has_native_bf16()) bf16_products(options, shapes, tokens);
  return 0;
}
