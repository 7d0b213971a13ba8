#include "solopo/kernels/attention.hpp"

#include <cmath>
#include <concepts>
#include <cstdio>
#include <vector>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"
#include "solopo/kernels/bf16_product.hpp"
#include "solopo/kernels/chosen_product.hpp"
#include "solopo/kernels/native_bf16.hpp"

using namespace solopo;
using kernels::AttentionShape;
using kernels::AttentionTile;

namespace {

// The truth: scores of one row as one array, softmax, weighted sum.
template <class T>
std::vector<T> naive(const AttentionShape& shape, const std::vector<AttentionTile>& tiles, int rows, int keys,
                     const std::vector<T>& q, const std::vector<T>& k, const std::vector<T>& v) {
  const int d = shape.head_dim;
  std::vector<T> out(std::size_t(rows) * shape.heads * d, T(0));
  for (int row = 0; row < rows; ++row)
    for (int h = 0; h < shape.heads; ++h) {
      const int kvh = h / shape.group();
      std::vector<double> weight(keys, 0.0);
      double sum = 0;
      for (const AttentionTile& t : tiles)
        for (int j = t.kv_begin; row >= t.q_begin && row < t.q_end && j < t.kv_end; ++j) {
          if (t.causal && j > t.kv_end - 1 - (t.q_end - 1 - row)) continue;
          double dot = 0;
          for (int e = 0; e < d; ++e)
            dot += double(q[(std::size_t(row) * shape.heads + h) * d + e]) *
                   double(k[(std::size_t(j) * shape.kv_heads + kvh) * d + e]);
          weight[j] = std::exp(dot / std::sqrt(double(d)));
          sum += weight[j];
        }
      for (int j = 0; j < keys && sum > 0; ++j)
        for (int e = 0; e < d; ++e)
          out[(std::size_t(row) * shape.heads + h) * d + e] +=
              static_cast<T>(weight[j] / sum * double(v[(std::size_t(j) * shape.kv_heads + kvh) * d + e]));
    }
  return out;
}

template <class T>
struct Case {
  AttentionShape shape;
  std::vector<AttentionTile> tiles;
  int rows, keys;
  std::vector<T> q, k, v, out, lse;

  Case(AttentionShape s, std::vector<AttentionTile> t, int r, int n)
      : shape(s), tiles(std::move(t)), rows(r), keys(n) {
    q = test::normal_values<T>(std::size_t(rows) * s.heads * s.head_dim, "q");
    k = test::normal_values<T>(std::size_t(keys) * s.kv_heads * s.head_dim, "k");
    v = test::normal_values<T>(std::size_t(keys) * s.kv_heads * s.head_dim, "v");
    out.assign(q.size(), T(99));
    lse.assign(std::size_t(rows) * s.heads, T(99));
  }
  MatrixView<T> view(std::vector<T>& x, int n) { return dense(x.data(), n, std::ptrdiff_t(x.size()) / n); }
  void forward() {
    kernels::attention_forward<T>(shape, tiles, view(q, rows), view(k, keys), view(v, keys), view(out, rows),
                                  view(lse, rows));
  }
};

std::vector<AttentionTile> causal(int n) { return {{0, n, 0, n, true}}; }

// [prompt | a | b], both responses see the prompt and themselves; then a sequence of its own.
std::vector<AttentionTile> tree() {
  return {{0, 70, 0, 70, true},   {70, 75, 0, 70, false}, {70, 75, 70, 75, true},
          {75, 83, 0, 70, false}, {75, 83, 75, 83, true}, {83, 120, 83, 120, true}};
}

}  // namespace

TEST_CASE("tiled attention equals the naive sum at sizes 1, prime, and one past a block") {
  for (const int n : {1, 2, 37, 64, 65, 257, 300}) {
    CAPTURE(n);
    Case<double> c({4, 2, 6}, causal(n), n, n);
    c.forward();
    const auto expected = naive(c.shape, c.tiles, n, n, c.q, c.k, c.v);
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(c.out[i] == Approx(expected[i]).margin(1e-12));
  }
}

TEST_CASE("a shared prompt, packed sequences and a cache with tails are only lists of tiles") {
  SECTION("tree") {
    Case<double> c({6, 2, 4}, tree(), 120, 120);
    c.forward();
    const auto expected = naive(c.shape, c.tiles, 120, 120, c.q, c.k, c.v);
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(c.out[i] == Approx(expected[i]).margin(1e-12));
  }
  SECTION("cache: three samples read 300 shared keys and tails of 2") {
    Case<double> c(
        {4, 4, 8},
        {{0, 3, 0, 300, false}, {0, 1, 300, 302, false}, {1, 2, 302, 304, false}, {2, 3, 304, 306, false}}, 3,
        306);
    c.forward();
    const auto expected = naive(c.shape, c.tiles, 3, 306, c.q, c.k, c.v);
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(c.out[i] == Approx(expected[i]).margin(1e-12));
  }
  SECTION("the last rows of a longer sequence see everything before them") {
    Case<double> c({2, 1, 4}, {{0, 5, 0, 100, true}}, 5, 100);
    c.forward();
    const auto expected = naive(c.shape, c.tiles, 5, 100, c.q, c.k, c.v);
    for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(c.out[i] == Approx(expected[i]).margin(1e-12));
  }
}

TEST_CASE("attention in float agrees with double, also for scores of hundreds") {
  Case<float> f({4, 2, 16}, causal(130), 130, 130);
  for (float& x : f.q) x *= 40.0f;
  f.forward();
  const auto expected = naive(f.shape, f.tiles, 130, 130, f.q, f.k, f.v);
  for (std::size_t i = 0; i < expected.size(); ++i) REQUIRE(f.out[i] == Approx(expected[i]).margin(2e-4));
}

TEST_CASE("attention's gradient equals central differences, and a wrong sign is found") {
  for (const auto& [tiles, n] : {std::pair{causal(13), 13}, std::pair{tree(), 120}}) {
    Case<double> c({4, 2, 4}, tiles, n, n);
    c.forward();
    const auto weight = test::normal_values<double>(c.out.size(), "dout");
    std::vector<double> dout = weight, dq(c.q.size(), 99.0), dk(c.k.size(), 0.0), dv(c.v.size(), 0.0);
    kernels::attention_backward<double>(c.shape, c.tiles, c.view(c.q, n), c.view(c.k, n), c.view(c.v, n),
                                        c.view(c.out, n), c.view(c.lse, n), c.view(dout, n), c.view(dq, n),
                                        c.view(dk, n), c.view(dv, n));
    const auto loss = [&] {
      c.forward();
      double sum = 0;
      for (std::size_t i = 0; i < c.out.size(); ++i) sum += weight[i] * c.out[i];
      return sum;
    };
    const std::size_t step = n > 50 ? 37 : 1;
    CHECK(test::worst_gradient_error(c.q, dq, loss, 0, step) < 1e-6);
    CHECK(test::worst_gradient_error(c.k, dk, loss, 0, step) < 1e-6);
    CHECK(test::worst_gradient_error(c.v, dv, loss, 0, step) < 1e-6);
    for (double& x : dk) x = -x;
    CHECK(test::worst_gradient_error(c.k, dk, loss, 0, step) > 1e-2);
  }
}

TEST_CASE("Keys that were read before count like others and get no gradient") {
  // Rows 70.. of the tree as a batch of their own, its first 70 keys read before.
  const int n = 50, read = 70;
  Case<double> whole({4, 2, 4}, tree(), 120, 120);
  whole.forward();
  const std::vector<AttentionTile> tiles = {{0, 5, 0, 70, false, true},
                                            {0, 5, 0, 5, true},
                                            {5, 13, 0, 70, false, true},
                                            {5, 13, 5, 13, true},
                                            {13, 50, 13, 50, true}};
  Case<double> part({4, 2, 4}, tiles, n, n);
  part.q.assign(whole.q.begin() + read * 16, whole.q.end());
  part.k.assign(whole.k.begin() + read * 8, whole.k.end());
  part.v.assign(whole.v.begin() + read * 8, whole.v.end());
  const MatrixView<double> k = whole.view(whole.k, 120), v = whole.view(whole.v, 120);
  const kernels::KeyValues<double> before{{k.data, read, k.columns, k.stride},
                                          {v.data, read, v.columns, v.stride}};
  kernels::attention_forward<double>(part.shape, tiles, part.view(part.q, n), part.view(part.k, n),
                                     part.view(part.v, n), part.view(part.out, n), part.view(part.lse, n),
                                     before);
  for (std::size_t i = 0; i < part.out.size(); ++i)
    REQUIRE(part.out[i] == Approx(whole.out[read * 16 + i]).margin(1e-14));

  std::vector<double> dout = test::normal_values<double>(whole.out.size(), "dout"), dq(whole.q.size()),
                      dk(whole.k.size()), dv(whole.v.size());
  std::fill_n(dout.begin(), read * 16, 0.0);
  kernels::attention_backward<double>(whole.shape, whole.tiles, whole.view(whole.q, 120), k, v,
                                      whole.view(whole.out, 120), whole.view(whole.lse, 120),
                                      whole.view(dout, 120), whole.view(dq, 120), whole.view(dk, 120),
                                      whole.view(dv, 120));
  std::vector<double> part_dout(dout.begin() + read * 16, dout.end()), part_dq(part.q.size()),
      part_dk(part.k.size()), part_dv(part.v.size());
  kernels::attention_backward<double>(part.shape, tiles, part.view(part.q, n), part.view(part.k, n),
                                      part.view(part.v, n), part.view(part.out, n), part.view(part.lse, n),
                                      part.view(part_dout, n), part.view(part_dq, n), part.view(part_dk, n),
                                      part.view(part_dv, n), before);
  for (std::size_t i = 0; i < part_dq.size(); ++i)
    REQUIRE(part_dq[i] == Approx(dq[read * 16 + i]).margin(1e-13));
  for (std::size_t i = 0; i < part_dk.size(); ++i) {
    REQUIRE(part_dk[i] == Approx(dk[read * 8 + i]).margin(1e-13));
    REQUIRE(part_dv[i] == Approx(dv[read * 8 + i]).margin(1e-13));
  }
}

TEST_CASE("attention gives the same bits on one thread and on two") {
  const int before = kernels::thread_count();
  std::vector<float> first;
  for (const int threads : {1, 2}) {
    kernels::set_thread_count(threads);
    const int n = 300;
    Case<float> c({6, 3, 16}, causal(n), n, n);
    c.forward();
    std::vector<float> dout = test::normal_values<float>(c.out.size(), "dout"), dq(c.q.size()),
                       dk(c.k.size()), dv(c.v.size());
    kernels::attention_backward<float>(c.shape, c.tiles, c.view(c.q, n), c.view(c.k, n), c.view(c.v, n),
                                       c.view(c.out, n), c.view(c.lse, n), c.view(dout, n), c.view(dq, n),
                                       c.view(dk, n), c.view(dv, n));
    std::vector<float> all = c.out;
    for (const auto* x : {&dq, &dk, &dv}) all.insert(all.end(), x->begin(), x->end());
    if (threads == 1) first = all;
    CHECK(all == first);
  }
  kernels::set_thread_count(before);
}

namespace {

// Outputs and gradients of 300 causal rows, heads of 64.
template <class Product>
std::vector<std::vector<float>> causal_attention() {
  const int n = 300;
  Case<float> c({6, 2, 64}, causal(n), n, n);
  const std::vector<float> dout = test::normal_values<float>(c.out.size(), "dout");
  std::vector<float> dq(c.q.size()), dk(c.k.size()), dv(c.v.size());
  const auto at = [&](auto& x) { return dense(x.data(), n, std::ptrdiff_t(x.size()) / n); };
  kernels::attention_forward<float, Product>(c.shape, c.tiles, at(c.q), at(c.k), at(c.v), at(c.out),
                                             at(c.lse));
  kernels::attention_backward<float, Product>(c.shape, c.tiles, at(c.q), at(c.k), at(c.v), at(c.out),
                                              at(c.lse), at(dout), at(dq), at(dk), at(dv));
  return {c.out, dq, dk, dv};
}

// Each moved by as much as two to six roundings of 2^-9 come to, and moved.
void check_rounded(const std::vector<std::vector<float>>& rounded) {
  const auto truth = causal_attention<kernels::TileProduct>();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double distance = 0, size = 0;
    for (std::size_t j = 0; j < truth[i].size(); ++j) {
      distance += std::pow(double(rounded[i][j]) - double(truth[i][j]), 2);
      size += std::pow(double(truth[i][j]), 2);
    }
    CAPTURE(i, std::sqrt(distance / size));
    CHECK(distance < 0.01 * 0.01 * size);
    CHECK(distance > 1e-4 * 1e-4 * size);
  }
}

using Widened = kernels::Bf16Product<kernels::WidenedMultiply>;

}  // namespace

TEST_CASE("attention in bfloat16 differs from float's by its roundings") {
  check_rounded(causal_attention<Widened::Tile>());
  if (kernels::has_native_bf16())
    check_rounded(causal_attention<kernels::NativeBf16Product::Tile>());
  else
    std::puts("SKIPPED: attention through the processor's own bf16 products (no bf16 instructions here)");
}

TEST_CASE("a model's tiles go the way of its other products where those name one") {
  CHECK(std::same_as<kernels::TileProductOf<kernels::PlainProduct>, kernels::TileProduct>);
  CHECK(std::same_as<kernels::TileProductOf<Widened>, Widened::Tile>);
  CHECK(std::same_as<kernels::TileProductOf<kernels::ChosenProduct>, kernels::ChosenProduct::Tile>);
}

TEST_CASE("attention_pairs counts what a list of tiles computes") {
  CHECK(kernels::attention_pairs(causal(5)) == 15);
  const AttentionTile full{0, 3, 0, 7, false}, last{0, 2, 0, 10, true};
  CHECK(kernels::attention_pairs({&full, 1}) == 21);
  CHECK(kernels::attention_pairs({&last, 1}) == 19);
}
