// The matrix products of a training step, by shape. Their time is the floor of what a step can take.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <vector>

#include "measure.hpp"
#include "solopo/cost/model_shape.hpp"
#include "solopo/kernels/native_bf16.hpp"
#include "solopo/kernels/product.hpp"

namespace solopo::bench {

// C (m, n) = op(A) (m, k) op(B) (k, n) + beta C, `times` of them in a step.
struct ProductShape {
  const char* name;
  bool ta, tb;
  std::ptrdiff_t m, n, k;
  float beta;
  double times;

  [[nodiscard]] double flops() const {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
};

// Forward, gradient of the input and gradient of the weight of each linear map of a layer, over `rows` rows.
inline std::vector<ProductShape> layer_products(const cost::ModelShape& s, std::ptrdiff_t rows) {
  struct Map {
    const char *forward, *input, *weight;
    std::ptrdiff_t out, in;
  };
  const Map maps[] = {{"qkv", "d qkv", "dW qkv", s.qkv_width(), s.width},
                      {"output", "d output", "dW output", s.width, s.query_width()},
                      {"gate and up", "d gate and up", "dW gate and up", 2 * s.ffn, s.width},
                      {"down", "d down", "dW down", s.width, s.ffn}};
  const auto layers = static_cast<double>(s.layers);
  std::vector<ProductShape> out;
  for (const Map& m : maps) {
    out.push_back({m.forward, false, true, rows, m.out, m.in, 0, layers});
    out.push_back({m.input, false, false, rows, m.in, m.out, 0, layers});
    out.push_back({m.weight, true, false, m.out, m.in, rows, 1, layers});
  }
  return out;
}

// The same of the head over `rows` rows, `chunk` at a time.
inline std::vector<ProductShape> head_products(const cost::ModelShape& s, std::ptrdiff_t rows,
                                               std::ptrdiff_t chunk) {
  const double times = static_cast<double>(rows) / static_cast<double>(chunk);
  return {{"head", false, true, chunk, s.vocabulary, s.width, 0, times},
          {"d head", false, false, chunk, s.width, s.vocabulary, 0, times},
          {"dW head", true, false, s.vocabulary, s.width, chunk, 1, times}};
}

// Arrays that any of the shapes fits into, the operands of T.
template <class T>
class BasicProductArrays {
 public:
  explicit BasicProductArrays(const std::vector<ProductShape>& shapes) {
    std::ptrdiff_t a = 0, b = 0, c = 0;
    for (const ProductShape& s : shapes) {
      a = std::max(a, s.m * s.k);
      b = std::max(b, s.k * s.n);
      c = std::max(c, s.m * s.n);
    }
    const auto operand = [](std::ptrdiff_t n) {
      const auto values = numbers(static_cast<std::size_t>(n));
      return kernels::AlignedVector<T>(values.begin(), values.end());
    };
    a_ = operand(a);
    b_ = operand(b);
    c_ = numbers(static_cast<std::size_t>(c));
  }
  // gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc), row-major.
  template <class Gemm>
  void run(const ProductShape& s, Gemm&& gemm) {
    gemm(s.ta, s.tb, s.m, s.n, s.k, 1.0f, a_.data(), s.ta ? s.m : s.k, b_.data(), s.tb ? s.k : s.n, s.beta,
         c_.data(), s.n);
  }
  // The product of this build for such operands.
  void run(const ProductShape& s) {
    if constexpr (std::same_as<T, float>)
      run(s, kernels::DefaultProduct::gemm<float>);
    else
      run(s,
          [](bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float, const T* a,
             std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, float beta, float* c, std::ptrdiff_t ldc) {
            kernels::NativeBf16Multiply::multiply(ta, tb, m, n, k, a, lda, b, ldb, beta != 0, c, ldc);
          });
  }

 private:
  kernels::AlignedVector<T> a_, b_;
  kernels::AlignedVector<float> c_;
};
using ProductArrays = BasicProductArrays<float>;
using Bf16ProductArrays = BasicProductArrays<BFloat16>;

inline double flops_of(const std::vector<ProductShape>& shapes) {
  double sum = 0;
  for (const ProductShape& s : shapes) sum += s.flops();
  return sum;
}

}  // namespace solopo::bench
