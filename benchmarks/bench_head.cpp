// The language-model head without the array of all logits, forward and backward, against the bare product
// of the same rows, in turn; and what it moves and holds. SmolLM2-135M's head.
//   bench_head [--rows 4096] [--naive-rows 8192] [--repetitions 10] [--threads N]
// weight_bytes: of the weight matrix and its gradient, read or written by the products. A part that a product
// shares with the one before it is in a cache and not counted again, nor is the tile of logits.
#include <span>

#include "measure.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/kernels/lm_head.hpp"
#include "step_products.hpp"

namespace {

using namespace solopo;

// Our product, counting the bytes of the head's weight and of its gradient.
struct CountingProduct {
  static inline std::span<const float> weight, gradient;
  static inline const float *last_weight = nullptr, *last_gradient = nullptr;
  static inline double bytes = 0;

  static bool is_in(std::span<const float> all, const float* part) {
    return part >= all.data() && part < all.data() + all.size();
  }

  template <class T>
  static void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, T alpha,
                   const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, T beta, T* c,
                   std::ptrdiff_t ldc) {
    const double element = sizeof(T);
    if (is_in(weight, b) && b != last_weight) {
      bytes += element * static_cast<double>(k * n);
      last_weight = b;
    }
    if (is_in(gradient, c) && c != last_gradient) {
      bytes += element * static_cast<double>(m * n) * (beta == T(0) ? 1 : 2);
      last_gradient = c;
    }
    kernels::DefaultProduct::gemm<T>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
};

}  // namespace

int main(int argc, char** argv) {
  long rows = 4096, naive_rows = 8192;
  bench::Options options("bench_head");
  options.number("--rows", rows).number("--naive-rows", naive_rows);
  options.parse(argc, argv);
  const cost::ModelShape& s = cost::find_model_shape("smollm2-135m");
  const std::ptrdiff_t vocab = s.vocabulary, width = s.width;
  const auto m = static_cast<std::size_t>(rows);
  auto hidden = bench::numbers(m * static_cast<std::size_t>(width)), dhidden = hidden,
       weight = bench::numbers(static_cast<std::size_t>(vocab * width)), dweight = weight;
  std::vector<std::int32_t> targets(m);
  for (std::size_t i = 0; i < m; ++i)
    targets[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(vocab));
  std::vector<float> logps(m), lse(m), dlogps(m, 1.0f);
  kernels::AlignedVector<float> logits;
  const auto h = dense<const float>(hidden.data(), rows, width);
  const auto w = dense<const float>(weight.data(), vocab, width);
  const auto forward = [&]<class Product>(Product) {
    kernels::lm_head_forward<float, Product>(h, w, targets, logps, lse, logits);
  };
  const auto backward = [&]<class Product>(Product) {
    kernels::lm_head_backward<float, Product>(h, w, targets, dlogps, lse, dense(dhidden.data(), rows, width),
                                              dense(dweight.data(), vocab, width), logits);
  };
  // The bare product in pieces of up to 1,024 rows: more of them only write more memory.
  const std::ptrdiff_t piece = std::min<std::ptrdiff_t>(rows, 1024);
  const bench::ProductShape bare = bench::head_products(s, rows, piece)[0];
  bench::ProductArrays arrays({bare});
  bench::Timed timed[] = {{[&] { forward(kernels::DefaultProduct{}); }},
                          {[&] { backward(kernels::DefaultProduct{}); }},
                          {[&] { arrays.run(bare); }}};
  bench::in_turn(timed, options);

  CountingProduct::weight = weight;
  CountingProduct::gradient = dweight;
  forward(CountingProduct{});
  backward(CountingProduct{});
  const double forward_flops = 2.0 * static_cast<double>(rows) * static_cast<double>(vocab * width);
  const double element = sizeof(float);
  bench::print_line(
      "head", options,
      {{"rows", rows},
       {"tile_rows", std::min<std::ptrdiff_t>(rows, kernels::head_tile_rows)},
       {"tile_columns", std::min<std::ptrdiff_t>(vocab, kernels::head_tile_columns)},
       {"forward_flops", forward_flops},
       {"backward_flops", 2 * forward_flops},  // the logits computed again are not progress
       {"product_flops", bare.flops()},
       {"forward_rounds", timed[0].rounds},
       {"backward_rounds", timed[1].rounds},
       {"product_rounds", timed[2].rounds},
       {"weight_bytes", CountingProduct::bytes},
       {"minimum_weight_bytes", 3 * static_cast<double>(vocab * width) * element},  // 2 b_w + b_g
       {"temporary_bytes", static_cast<double>(logits.capacity() + lse.size() + dhidden.size()) * element},
       {"naive_rows", naive_rows},
       {"naive_bytes", static_cast<double>(naive_rows) * static_cast<double>(vocab) * element}});
  return 0;
}
