// The longest context that can be trained in fixed memory, for Long-PO as it is usually held (every logit of
// both sequences in float32, every activation kept) and as solopo holds it (a tile of logits at a time, each
// layer's input only), without and with a shared prompt. By the cost model for SmolLM2-135M's shape; and on a
// small shape also found by running: a process is given that much address space beyond what it has once it is
// ready, and steps that do not fit fail.
//   bench_context [--mebibytes 1024] [--run-mebibytes 128] [--response 200] [--run-response 64]
// The limit is what a step may hold beside weights, gradients and optimiser. The context is prompt +
// response.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <new>

#include "measure.hpp"
#include "random_model.hpp"
#include "solopo/cost/memory.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/model/model_cost.hpp"

namespace {

using namespace solopo;
using cost::Count;

constexpr cost::ModelShape small{.width = 256,
                                 .layers = 8,
                                 .heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 64,
                                 .ffn = 768,
                                 .vocabulary = 8192,
                                 .tied_head = true};

enum class Way { naive, unshared, shared };
constexpr Way ways[] = {Way::naive, Way::unshared, Way::shared};
const char* name_of(Way way) {
  return way == Way::naive ? "naive" : way == Way::unshared ? "unshared" : "shared";
}

Count step_bytes(const cost::ModelShape& shape, Way way, Count context, Count response) {
  const Count prompt = context - response, own = response - 1;
  const Count rows = way == Way::shared ? prompt + 2 * own : 2 * (prompt + own);
  if (way != Way::naive) return cost::training_memory(shape, rows, 2 * response, llama_memory(true)).step();
  return cost::training_memory(shape, rows, rows, with_all_logits(llama_memory(false), shape, rows)).step();
}

// The largest context in [low, high) that fits, to within `precision`; 0 when not even `low` does.
template <class Fits>
Count longest(Count low, Count high, Count precision, Fits&& fits) {
  if (!fits(low)) return 0;
  while (high - low > precision) {
    const Count middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

// Whether a process with that much address space left really makes the step.
bool runs(Way way, Count context, Count response, Count bytes) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    int status = 0;
    try {
      bench::RandomModel model(bench::config_of(small));
      Llama<float> llama(model.weights, {.recompute = way != Way::naive});
      const bench::Ids prompt = model.ids(context - response), chosen = model.ids(response),
                       rejected = model.ids(response);
      const auto train = [&](std::span<const std::int32_t> p, std::span<const std::int32_t> w,
                             std::span<const std::int32_t> l) {
        const std::span<const std::int32_t> pair[] = {w, l};
        PackedSequences batch;
        if (way == Way::shared) {
          batch.append_shared(p, pair);
        } else {
          batch.append(p, w);
          batch.append(p, l);
        }
        llama.forward(batch);
        kernels::AlignedVector<float> logits;
        if (way == Way::naive) {  // its logits, which live until the backward is over
          const auto rows = static_cast<std::ptrdiff_t>(batch.tokens.size());
          logits.resize(static_cast<std::size_t>(rows * small.vocabulary));
          const kernels::AlignedVector<float> hidden =
              bench::numbers(static_cast<std::size_t>(rows * small.width));
          kernels::DefaultProduct::gemm<float>(false, true, rows, small.vocabulary, small.width, 1.0f,
                                               hidden.data(), small.width, llama.head_rows().weight.data,
                                               small.width, 0.0f, logits.data(), small.vocabulary);
        }
        const float dlogps[] = {1.0f, -1.0f};
        llama.backward(dlogps, model.gradients);
      };
      const std::span<const std::int32_t> p(prompt), w(chosen), l(rejected);
      train(p.first(16), w.first(1), l.first(1));  // threads and libraries have their memory now
      long pages = 0;
      std::ifstream("/proc/self/statm") >> pages;
      const auto limit = static_cast<rlim_t>(pages * sysconf(_SC_PAGE_SIZE) + bytes);
      const rlimit set{limit, limit};
      if (setrlimit(RLIMIT_AS, &set) != 0) status = 4;
      if (status == 0) train(p, w, l);
    } catch (const std::bad_alloc&) {
      status = 3;
    } catch (const std::exception&) {  // a library reports its failed allocation
      status = 3;
    }
    _exit(status);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  long mebibytes = 1024, run_mebibytes = 128, response = 200, run_response = 64;
  bench::Options options("bench_context");
  options.number("--mebibytes", mebibytes).number("--run-mebibytes", run_mebibytes);
  options.number("--response", response).number("--run-response", run_response);
  options.parse(argc, argv);
  const auto predicted = [&](const cost::ModelShape& shape, Way way, Count answer, Count limit) {
    return longest(answer + 1, Count(1) << 30, 1,
                   [&](Count context) { return step_bytes(shape, way, context, answer) <= limit; });
  };
  const Count limit = Count(mebibytes) << 20, run_limit = Count(run_mebibytes) << 20;
  for (const Way way : ways)
    bench::print_line(
        "context", options,
        {{"way", name_of(way)},
         {"shape", "smollm2-135m"},
         {"limit_bytes", limit},
         {"response", response},
         {"predicted_longest", predicted(cost::find_model_shape("smollm2-135m"), way, response, limit)}});
  for (const Way way : ways) {
    const Count expected = predicted(small, way, run_response, run_limit);
    bench::print_line("context", options,
                      {{"way", name_of(way)},
                       {"shape", "small"},
                       {"limit_bytes", run_limit},
                       {"response", run_response},
                       {"predicted_longest", expected},
                       {"run_longest", longest(std::max(run_response + 16, expected * 3 / 4),
                                               expected * 5 / 4, expected / 64 + 1, [&](Count context) {
                                                 return runs(way, context, run_response, run_limit);
                                               })}});
  }
  return 0;
}
