// The CUDA backend's speed on the device at hand, a JSON line a measurement, written as it is made.
//   bench_cuda [SECTION...]    machine attention head rows step schemes memory generate (default: all)
// Random weights of SmolLM2-135M's and Qwen2.5-0.5B's shapes in bfloat16. Times are medians between CUDA
// events; FLOPs are the cost model's (cost/flops.hpp), attention 4 d_q a pair forward and 10 backward.
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheme_batch.hpp"
#include "solopo/core/random.hpp"
#include "solopo/cost/flops.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/cost/named_schemes.hpp"
#include "solopo/cost/scheme.hpp"
#include "solopo/cuda/decoder.hpp"
#include "solopo/cuda/device_lora.hpp"
#include "solopo/cuda/llama.hpp"
#include "solopo/cuda/queue.cuh"

namespace {

using namespace solopo;
using bench::Ids, bench::config_of, bench::median;
using cuda::check;
using cuda::CudaQueue;

class Timer {
 public:
  explicit Timer(CudaQueue& queue) : queue_(queue) {
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    (void)cudaEventDestroy(begin_);
    (void)cudaEventDestroy(end_);
  }
  // Seconds of one f(), of `inner` in a row.
  double once(const std::function<void()>& f, int inner = 1) {
    check(cudaEventRecord(begin_, queue_.stream()), "cudaEventRecord");
    for (int i = 0; i < inner; ++i) f();
    check(cudaEventRecord(end_, queue_.stream()), "cudaEventRecord");
    check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(ms) / 1e3 / inner;
  }
  double median_of(int repetitions, const std::function<void()>& f, int inner = 1) {
    f();
    f();
    std::vector<double> all;
    for (int r = 0; r < repetitions; ++r) all.push_back(once(f, inner));
    return median(std::move(all));
  }

 private:
  CudaQueue& queue_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

// Numbers about zero, made on the host once and repeated.
template <class T>
cuda::DeviceArray<T> noise(CudaQueue& queue, std::size_t size) {
  cuda::DeviceArray<T> out(size);
  RandomStream random(1, "noise");
  std::vector<T> block(std::min<std::size_t>(size, std::size_t{1} << 20));
  for (T& x : block) x = static_cast<float>(random.uniform() - 0.5);
  for (std::size_t at = 0; at < size; at += block.size())
    queue.upload(out.data() + at, block.data(), std::min(block.size(), size - at));
  queue.wait();
  return out;
}

double gemm_tflops(CudaQueue& queue, Timer& timer, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k) {
  const auto a = noise<BFloat16>(queue, static_cast<std::size_t>(m * k)),
             b = noise<BFloat16>(queue, static_cast<std::size_t>(n * k));
  const cuda::DeviceArray<BFloat16> c(static_cast<std::size_t>(m * n));
  const double seconds = timer.median_of(
      5,
      [&] {
        queue.gemm(false, true, m, n, k, a.data(), k, b.data(), k, static_cast<const BFloat16*>(nullptr),
                   c.data(), n);
      },
      5);
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) / seconds / 1e12;
}

double copy_bytes_per_second(CudaQueue& queue, Timer& timer) {
  const std::size_t bytes = std::size_t{2} << 30;
  const cuda::DeviceArray<unsigned char> a(bytes), b(bytes);
  const double seconds = timer.median_of(5, [&] {
    check(cudaMemcpyAsync(b.data(), a.data(), bytes, cudaMemcpyDeviceToDevice, queue.stream()),
          "cudaMemcpyAsync");
  });
  return 2.0 * static_cast<double>(bytes) / seconds;
}

void bench_machine(CudaQueue& queue, Timer& timer) {
  cudaDeviceProp p{};
  check(cudaGetDeviceProperties(&p, 0), "cudaGetDeviceProperties");
  std::printf(
      "{\"bench\":\"machine\",\"device\":\"%s\",\"multiprocessors\":%d,\"memory_bytes\":%zu,\"gemm_8192_"
      "tflops\":%.1f,"
      "\"copy_gb_per_second\":%.0f}\n",
      p.name, p.multiProcessorCount, p.totalGlobalMem, gemm_tflops(queue, timer, 8192, 8192, 8192),
      copy_bytes_per_second(queue, timer) / 1e9);
  std::fflush(stdout);
}

void bench_attention(CudaQueue& queue, Timer& timer) {
  struct Case {
    int heads, kv_heads, d, rows;
  };
  const auto all = {Case{9, 3, 64, 8192}, Case{14, 2, 64, 8192}, Case{9, 3, 64, 32768}, Case{14, 2, 64, 2048},
                    Case{12, 2, 128, 8192}};
  for (const auto kernels : {cuda::AttentionKernels::tensor, cuda::AttentionKernels::library})
    for (const Case c : all) {
      if (kernels == cuda::AttentionKernels::library && !SOLOPO_HAS_CUDNN) continue;
      const int width = (c.heads + 2 * c.kv_heads) * c.d, dq = c.heads * c.d, dkv = c.kv_heads * c.d;
      const auto rows = static_cast<std::size_t>(c.rows);
      const auto qkv = noise<BFloat16>(queue, rows * static_cast<std::size_t>(width)),
                 dout = noise<BFloat16>(queue, rows * static_cast<std::size_t>(dq));
      const cuda::DeviceArray<BFloat16> out(rows * static_cast<std::size_t>(dq)),
          dqkv(rows * static_cast<std::size_t>(width));
      const cuda::DeviceArray<float> lse(
          cuda::DeviceAttention<BFloat16, CudaQueue>::log_sum_exps(rows, c.heads));
      cuda::DeviceAttention<BFloat16, CudaQueue> attention(queue, c.heads, c.kv_heads, c.d, kernels);
      const ComputedRows computed{{{0, c.rows}}, {{0, c.rows, 0, c.rows, true}}};
      cuda::DeviceAttention<BFloat16, CudaQueue>::Plan plan;
      attention.set(plan, computed, c.rows);
      auto a = attention.arrays(plan);
      const auto part = [&](auto* data, int begin, int count) {
        return MatrixView<std::remove_pointer_t<decltype(data)>>{data + begin, c.rows, count, width};
      };
      a.q = part(qkv.data(), 0, dq);
      a.k = part(qkv.data(), dq, dkv);
      a.v = part(qkv.data(), dq + dkv, dkv);
      a.out = dense(out.data(), c.rows, dq);
      a.log_sum_exp = lse.data();
      a.dout = dense<const BFloat16>(dout.data(), c.rows, dq);
      a.dq = part(dqkv.data(), 0, dq);
      a.dk = part(dqkv.data(), dq, dkv);
      a.dv = part(dqkv.data(), dq + dkv, dkv);
      const auto first_call = [&](const std::function<void()>& f) {
        const auto start = std::chrono::steady_clock::now();
        f();
        queue.wait();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      };
      const double first =
          first_call([&] { attention.forward(plan, a); }) + first_call([&] { attention.backward(plan, a); });
      const double forward = timer.median_of(
          5, [&] { attention.forward(plan, a); }, 3);
      const double backward = timer.median_of(
          5, [&] { attention.backward(plan, a); }, 3);
      const double pairs = static_cast<double>(solopo::kernels::attention_pairs(computed.tiles)) * dq;
      std::printf(
          "{\"bench\":\"attention\",\"heads\":%d,\"kv_heads\":%d,\"head_dim\":%d,\"tokens\":%d,\"attention_"
          "fwd_tflops\":%.1f,"
          "\"attention_bwd_tflops\":%.1f,\"attention_fwdbwd_tflops\":%.1f,\"kernels\":\"%s\",\"first_"
          "seconds\":%.3f}\n",
          c.heads, c.kv_heads, c.d, c.rows, 4 * pairs / forward / 1e12, 10 * pairs / backward / 1e12,
          14 * pairs / (forward + backward) / 1e12,
          kernels == cuda::AttentionKernels::library ? "library" : "own", first);
      std::fflush(stdout);
    }
}

// The head alone: its kernels and products against the bare product of the same shape with float32 out.
void bench_head(CudaQueue& queue, Timer& timer) {
  struct Case {
    int rows, vocabulary, width, chunk;
  };
  for (const Case c : {Case{4096, 49152, 576, 1024}, {4096, 151936, 896, 1024}}) {
    const auto m = static_cast<std::size_t>(c.rows), v = static_cast<std::size_t>(c.vocabulary),
               w = static_cast<std::size_t>(c.width);
    const auto hidden = noise<BFloat16>(queue, m * w), weight = noise<BFloat16>(queue, v * w);
    const int chunk = c.chunk;
    const cuda::DeviceArray<float> logits(static_cast<std::size_t>(chunk) * v), numbers(3 * m), dw(v * w),
        derivatives(2);
    const cuda::DeviceArray<BFloat16> dlogits(static_cast<std::size_t>(chunk) * v), dhidden(m * w);
    const cuda::DeviceArray<std::int32_t> targets(std::vector<std::int32_t>(m, 7)),
        responses(std::vector<std::int32_t>(m, 0));
    queue.zero(derivatives.data(), 2);
    const auto rows = [&](std::size_t at) {
      return cuda::LogitRows{logits.data(),       c.vocabulary,
                             targets.data() + at, responses.data() + at,
                             numbers.data() + at, numbers.data() + m + at,
                             Statistic::none,     nullptr};
    };
    const auto product = [&](std::size_t at) {
      queue.gemm(false, true, chunk, c.vocabulary, c.width, hidden.data() + at * w, c.width, weight.data(),
                 c.width, static_cast<const float*>(nullptr), logits.data(), c.vocabulary);
    };
    const auto chunks = [&](const std::function<void(std::size_t)>& f) {
      for (std::size_t at = 0; at < m; at += static_cast<std::size_t>(chunk)) f(at);
    };
    const double bare = timer.median_of(5, [&] { chunks(product); });
    const double forward = timer.median_of(5, [&] {
      chunks([&](std::size_t at) {
        product(at);
        queue.launch(chunk, 1, 256, 0, cuda::LogProbs{rows(at)});
      });
    });
    const double backward = timer.median_of(5, [&] {
      chunks([&](std::size_t at) {
        product(at);
        queue.launch(chunk, 1, 256, 0,
                     cuda::LogitGradient<BFloat16>{rows(at), derivatives.data(), derivatives.data() + 1,
                                                   dlogits.data()});
        queue.gemm(false, false, chunk, c.width, c.vocabulary, dlogits.data(), c.vocabulary, weight.data(),
                   c.width, static_cast<const BFloat16*>(nullptr), dhidden.data() + at * w, c.width);
        queue.gemm(true, false, c.vocabulary, c.width, chunk, dlogits.data(), c.vocabulary,
                   hidden.data() + at * w, c.width, static_cast<const float*>(dw.data()), dw.data(), c.width);
      });
    });
    const double peak = gemm_tflops(queue, timer, c.rows, c.vocabulary, c.width) * 1e12;
    const double one = 2.0 * c.rows * static_cast<double>(v) * static_cast<double>(w);
    std::printf(
        "{\"bench\":\"head\",\"rows\":%d,\"vocabulary\":%d,\"width\":%d,\"chunk\":%d,\"bare_product_float_"
        "out_tflops\":%.1f,\"gemm_tflops\":%.1f,"
        "\"head_fwd_tflops\":%.1f,\"head_fwd_fraction_of_gemm\":%.3f,\"head_fwdbwd_fraction\":%.3f}\n",
        c.rows, c.vocabulary, c.width, c.chunk, one / bare / 1e12, peak / 1e12, one / forward / 1e12,
        one / forward / peak, 3 * one / (forward + backward) / peak);
    std::fflush(stdout);
  }
}

void bench_rows(CudaQueue& queue, Timer& timer) {
  const double copy = copy_bytes_per_second(queue, timer);
  for (const int columns : {576, 896, 1536, 4864}) {
    const std::ptrdiff_t rows = (std::ptrdiff_t{1} << 28) / columns;
    const auto size = static_cast<std::size_t>(rows * columns);
    const auto x = noise<BFloat16>(queue, size), u = noise<BFloat16>(queue, 2 * size),
               w = noise<BFloat16>(queue, static_cast<std::size_t>(columns));
    const cuda::DeviceArray<BFloat16> y(size), dx(2 * size);
    const cuda::DeviceArray<float> scales(static_cast<std::size_t>(rows));
    const auto view = [&](auto* p) { return dense(p, rows, columns); };
    const auto wide = [&](auto* p) { return dense(p, rows, 2 * columns); };
    const int threads = cuda::held_threads(columns);
    const auto report = [&](const char* name, double bytes_per_element, const std::function<void()>& f) {
      const double seconds = timer.median_of(5, f);
      std::printf(
          "{\"bench\":\"rows\",\"kernel\":\"%s\",\"columns\":%d,\"gb_per_second\":%.0f,\"row_kernel_bw_"
          "fraction\":%.3f}\n",
          name, columns, bytes_per_element * static_cast<double>(size) / seconds / 1e9,
          bytes_per_element * static_cast<double>(size) / seconds / copy);
      std::fflush(stdout);
    };
    const int n = static_cast<int>(rows);
    report("rms_norm", 4, [&] {
      cuda::launch_norm<cuda::HeldRmsNorm, BFloat16>(
          queue, n, cuda::RmsNorm<BFloat16>{view(x.data()), nullptr, w.data(), view(y.data()), 1e-5f});
    });
    report("rms_norm_backward", 8, [&] {
      cuda::launch_norm<cuda::HeldRmsNormGradient, BFloat16>(
          queue, n,
          cuda::RmsNormGradient<BFloat16>{view(x.data()), nullptr, nullptr, w.data(), view(y.data()),
                                          view(dx.data()), scales.data(), 1e-5f});
    });
    report("swiglu", 6, [&] {
      queue.launch(n, 1, threads, 0, cuda::SwiGlu<BFloat16>{wide(u.data()), view(y.data())});
    });
    report("swiglu_backward", 12, [&] {
      queue.launch(
          n, 1, threads, 0,
          cuda::SwiGluGradient<BFloat16>{wide(u.data()), view(x.data()), view(y.data()), wide(dx.data())});
    });
  }
}

LlamaWeights<float> random_weights(const LlamaConfig& config) {
  LlamaWeights<float> weights(config);
  std::uint64_t state = 0x9e3779b97f4a7c15;
  for (const TensorSlot& slot : weights.layout.slots())
    for (std::size_t i = 0; i < slot.size; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      weights.data[slot.offset + i] =
          slot.shape.size() == 1 ? 1.0f : 0.04f * static_cast<float>(state >> 40) * 0x1p-24f - 0.02f;
    }
  return weights;
}

Ids random_ids(const LlamaConfig& config, long n) {
  static RandomStream random(1, "bench");
  Ids out(static_cast<std::size_t>(n));
  for (std::int32_t& t : out)
    t = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(config.vocab_size)));
  return out;
}

constexpr LoraConfig adapters_of_16{.rank = 16, .alpha = 32};  // on every map

// A model on the device, with adapters or without, and the optimiser of what is trained.
struct Model {
  const char* name;
  cost::ModelShape shape;
  LlamaConfig config;
  cuda::DeviceWeights<BFloat16, CudaQueue> weights;
  std::optional<cuda::DeviceLora<BFloat16, CudaQueue>> lora;
  cuda::DeviceAdamW<BFloat16, CudaQueue> optimizer;

  Model(CudaQueue& queue, const char* shape_name, bool adapters = false)
      : name(shape_name),
        shape(cost::find_model_shape(shape_name)),
        config(config_of(shape)),
        weights(queue, random_weights(config), adapters),
        optimizer(queue, adapters ? add_adapters(queue) : weights) {}

  [[nodiscard]] cuda::DeviceLlama<BFloat16, CudaQueue> on(CudaQueue& queue,
                                                          cuda::DeviceLlamaOptions options = {}) const {
    return lora ? cuda::DeviceLlama<BFloat16, CudaQueue>(queue, weights, *lora, options)
                : cuda::DeviceLlama<BFloat16, CudaQueue>(queue, weights, options);
  }
  [[nodiscard]] cost::Lora trained() const {
    return lora ? cost::Lora{.rank = lora->config().rank, .targets = lora->config().targets} : cost::Lora{};
  }

 private:
  cuda::DeviceTensors<BFloat16, CudaQueue>& add_adapters(CudaQueue& queue) {
    return lora.emplace(queue, initial_lora<float>(config, adapters_of_16, 1));
  }
};

// One sequence, 32 response rows scored: forward, backward, update. Once as training runs it, and once with a
// library's attention free to add in any order, as PyTorch's is.
void bench_step(CudaQueue& queue, Timer& timer, Model& m, std::initializer_list<long> lengths) {
  CudaQueue any_order(queue.stream(), false);
  for (const long tokens : lengths) {
    PackedSequences batch;
    batch.append(random_ids(m.config, tokens - 32), random_ids(m.config, 33));
    for (CudaQueue* q : {&queue, &any_order}) {
      if (q == &any_order && !SOLOPO_HAS_CUDNN) continue;
      auto model = m.on(*q);
      const std::vector<float> one = {1.0f};
      // `launch`: until the backward has asked for everything, not until it is done.
      std::vector<double> forward, backward, update, launch;
      for (int r = -2; r < 5; ++r) {
        const double f = timer.once([&] { (void)model.forward(batch); });
        double asked = 0;
        const double b = timer.once([&] {
          const auto begin = std::chrono::steady_clock::now();
          model.backward(one, m.optimizer.gradients());
          asked = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        });
        const double u = timer.once([&] { m.optimizer.step(1e-6); });
        if (r < 0) continue;
        forward.push_back(f);
        backward.push_back(b);
        update.push_back(u);
        launch.push_back(asked);
      }
      const double f = median(forward), b = median(backward), u = median(update);
      const cost::Flops flops = cost::model_flops(m.shape, work_of(batch, scored_rows(batch)), m.trained());
      std::printf(
          "{\"bench\":\"step\",\"model\":\"%s\",\"tokens\":%ld,\"lora_rank\":%ld,\"deterministic\":%s,"
          "\"forward_seconds\":%.5f,\"backward_seconds\":%.5f,\"backward_launch_seconds\":%.5f,"
          "\"update_seconds\":%.5f,"
          "\"step_tokens_per_second\":%.0f,\"tflops\":%.1f,\"arena_bytes\":%zu}\n",
          m.name, tokens, static_cast<long>(m.trained().rank), q == &queue ? "true" : "false", f, b,
          median(launch), u, static_cast<double>(tokens) / (f + b + u), flops.total() / (f + b) / 1e12,
          model.peak_bytes());
      std::fflush(stdout);
    }
  }
}

// SoLoPO with a long prompt of 64K tokens, layers recomputed: the time of a record, and what the card holds.
// The queue, whose workspaces stay as large as they were, the model and its optimiser are this measurement's
// own.
void bench_memory(const char* name, const char* scheme, bool adapters, bool deterministic) {
  CudaQueue queue(nullptr, deterministic);
  Timer timer(queue);
  Model m(queue, name, adapters);
  const Ids prompt = random_ids(m.config, 65536), short_prompt = random_ids(m.config, 1024),
            chosen = random_ids(m.config, 200), rejected = random_ids(m.config, 200);
  const cost::Scheme& of = cost::find_scheme(scheme).scheme;
  const auto batches = bench::scheme_batches(of, short_prompt, prompt, chosen, rejected);
  auto model = m.on(queue, {.recompute = true});
  double seconds = 0;
  for (int r = 0; r < 2; ++r)
    seconds = timer.once([&] {
      // As the trainer: the sides before the last are read first, and differentiated after it.
      for (std::size_t i = 0; i + 1 < batches.size(); ++i) (void)model.response_logps(batches[i]);
      for (std::size_t i = batches.size(); i-- > 0;) {
        (void)model.forward(batches[i]);
        model.backward(std::vector<float>(static_cast<std::size_t>(batches[i].responses), 1.0f),
                       m.optimizer.gradients());
      }
      m.optimizer.step(1e-6);
    });
  std::size_t left = 0, total = 0;
  check(cudaMemGetInfo(&left, &total), "cudaMemGetInfo");
  std::printf(
      "{\"bench\":\"memory\",\"model\":\"%s\",\"scheme\":\"S+PS%s%s, recompute\",\"lora_rank\":%ld,"
      "\"deterministic\":%s,\"prompt\":65536,\"seconds\":%.3f,\"arena_bytes\":%zu,"
      "\"device_bytes_in_use\":%zu}\n",
      name, adapters ? ", LoRA" : "", batches.size() > 1 ? ", two-pass" : "",
      static_cast<long>(m.trained().rank), deterministic ? "true" : "false", seconds, model.peak_bytes(),
      total - left);
  std::fflush(stdout);
}

void bench_schemes(CudaQueue& queue, Timer& timer, Model& m) {
  const long short_prompt = 1024, response = 200;
  for (const long prompt : {2048L, 8192L, 16384L, 32768L}) {
    const Ids long_ids = random_ids(m.config, prompt), short_ids = random_ids(m.config, short_prompt),
              chosen = random_ids(m.config, response), rejected = random_ids(m.config, response);
    struct Trial {
      const cost::NamedScheme* scheme;
      PackedSequences batch;
      std::vector<double> seconds{};
    };
    std::vector<Trial> trials;
    for (const char* scheme : {"V", "V+PS", "S", "S+PS", "S+PS+RO"}) {
      Trial trial{&cost::find_scheme(scheme), {}};
      trial.batch =
          bench::scheme_batches(trial.scheme->scheme, short_ids, long_ids, chosen, rejected).front();
      trials.push_back(std::move(trial));
    }
    auto model = m.on(queue);
    for (int r = -1; r < 5; ++r)
      for (Trial& trial : trials) {
        const std::vector<float> dlogps(static_cast<std::size_t>(trial.batch.responses), 1.0f);
        const double t = timer.once([&] {
          (void)model.forward(trial.batch);
          model.backward(dlogps, m.optimizer.gradients());
        });
        if (r >= 0) trial.seconds.push_back(t);
      }
    const auto predicted = [&](const Trial& trial) {
      cost::Scheme scheme = trial.scheme->scheme;
      scheme.skip_last_layer = true;  // as DeviceLlama does
      return record_flops(m.shape, record_work({short_prompt, prompt, response, response}, scheme)).total();
    };
    for (const Trial& trial : trials) {
      const double v = median(trials[0].seconds), ps = median(trials[1].seconds), own = median(trial.seconds);
      std::printf(
          "{\"bench\":\"schemes\",\"model\":\"%s\",\"prompt\":%ld,\"scheme\":\"%s\",\"seconds\":%.5f,"
          "\"measured_over_v\":%.3f,"
          "\"predicted_over_v\":%.3f,\"measured_over_v_ps\":%.3f,\"predicted_over_v_ps\":%.3f}\n",
          m.name, prompt, trial.scheme->name, own, own / v, predicted(trial) / predicted(trials[0]), own / ps,
          predicted(trial) / predicted(trials[1]));
      std::fflush(stdout);
    }
  }
}

// A prompt read, and 128 greedy tokens of one and of eight samples of it.
void bench_generate(CudaQueue& queue, Timer& timer, Model& m) {
  const std::int32_t length = 2048, new_tokens = 128;
  const Ids prompt = random_ids(m.config, length);
  for (const auto kernels : {cuda::AttentionKernels::tensor, cuda::AttentionKernels::library}) {
    if (kernels == cuda::AttentionKernels::library && !SOLOPO_HAS_CUDNN) continue;
    cuda::DeviceDecoder<BFloat16, CudaQueue> decoder(queue, m.weights,
                                                     cuda::DeviceDecoderOptions{.attention = kernels});
    const double read = timer.median_of(5, [&] { decoder.read_prompt(prompt); });
    std::printf(
        "{\"bench\":\"generate\",\"model\":\"%s\",\"prompt\":%d,\"kernels\":\"%s\",\"read_seconds\":%.5f,"
        "\"prompt_tokens_per_second\":%.0f}\n",
        m.name, length, kernels == cuda::AttentionKernels::library ? "library" : "own", read, length / read);
    std::fflush(stdout);
  }
  cuda::DeviceDecoder<BFloat16, CudaQueue> decoder(queue, m.weights);
  decoder.read_prompt(prompt);
  for (const std::int32_t samples : {1, 8}) {
    const GenerateOptions options{.max_new_tokens = new_tokens, .samples = samples};
    const double seconds = timer.median_of(5, [&] { (void)decoder.generate(options); });
    std::printf(
        "{\"bench\":\"generate\",\"model\":\"%s\",\"prompt\":%d,\"samples\":%d,\"new_tokens\":%d,\"step_"
        "seconds\":%.6f,\"greedy_tokens_per_second\":%.0f}\n",
        m.name, length, samples, new_tokens, seconds / new_tokens, samples * new_tokens / seconds);
    std::fflush(stdout);
  }
}

constexpr const char* models[] = {"smollm2-135m", "qwen2.5-0.5b"};

void bench_speed(const std::function<bool(const char*)>& asked) {
  CudaQueue queue;
  Timer timer(queue);
  if (asked("machine")) bench_machine(queue, timer);
  if (asked("attention")) bench_attention(queue, timer);
  if (asked("head")) bench_head(queue, timer);
  if (asked("rows")) bench_rows(queue, timer);
  for (const char* name : models) {
    if (asked("step") || asked("schemes") || asked("generate")) {
      Model m(queue, name);
      if (asked("step")) bench_step(queue, timer, m, {2048, 8192, 32768});
      if (asked("schemes")) bench_schemes(queue, timer, m);
      if (asked("generate")) bench_generate(queue, timer, m);
    }
    if (asked("step")) {
      Model m(queue, name, true);
      bench_step(queue, timer, m, {2048, 8192});
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--version") {
    std::puts("solopo " SOLOPO_VERSION);
    return 0;
  }
  if (cuda::device_count() == 0) {
    std::fputs("bench_cuda: there is no CUDA device\n", stderr);
    return 1;
  }
  std::set<std::string> sections(argv + 1, argv + argc);
  const auto asked = [&](const char* name) { return sections.empty() || sections.count(name) > 0; };
  try {
    bench_speed(asked);
    for (const char* name : models) {
      if (!asked("memory")) continue;
      bench_memory(name, "S+PS", false, true);
      for (const bool deterministic : {true, false})
        bench_memory(name, "S+PS, two passes", true, deterministic);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "bench_cuda: %s\n", error.what());
    return 1;
  }
  return 0;
}
