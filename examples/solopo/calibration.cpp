#include "calibration.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

#include "cpu_model.hpp"
#include "solopo/kernels/attention.hpp"
#include "solopo/model/model_cost.hpp"
#include "solopo/model/work_count.hpp"

namespace solopo::cli {
namespace {

// The least of three runs, after one that pays for touching memory.
template <class F>
double seconds_of(F&& f) {
  f();
  double least = std::numeric_limits<double>::max();
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return std::max(least, 1e-9);
}

// Small numbers of both signs; which ones does not change the time.
void fill(std::span<float> values) {
  std::uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * (0.04f / 16777216.0f) - 0.02f;
  }
}

std::vector<float> filled(std::ptrdiff_t n) {
  std::vector<float> out(static_cast<std::size_t>(n));
  fill(out);
  return out;
}

double attention_rate(const LlamaConfig& c) {
  constexpr std::int32_t rows = 1024;
  const kernels::AttentionShape shape{c.num_attention_heads, c.num_key_value_heads, c.head_dim};
  const kernels::AttentionTile tiles[] = {{0, rows, 0, rows, true}};
  const std::ptrdiff_t q_width = c.query_width(), kv_width = c.kv_width();
  std::vector<float> q = filled(rows * q_width), k = filled(rows * kv_width), v = k, out = q, dout = q,
                     dq = q, dk = k, dv = k, lse(static_cast<std::size_t>(rows) * c.num_attention_heads);
  const auto view = [](std::vector<float>& x, std::ptrdiff_t width) { return dense(x.data(), rows, width); };
  using Tile = kernels::ChosenProduct::Tile;
  const double seconds = seconds_of([&] {
    const auto lse_view = view(lse, c.num_attention_heads);
    kernels::attention_forward<float, Tile>(shape, tiles, view(q, q_width), view(k, kv_width),
                                            view(v, kv_width), view(out, q_width), lse_view);
    kernels::attention_backward<float, Tile>(
        shape, tiles, view(q, q_width), view(k, kv_width), view(v, kv_width), view(out, q_width), lse_view,
        view(dout, q_width), view(dq, q_width), view(dk, kv_width), view(dv, kv_width));
  });
  return 14.0 * static_cast<double>(q_width) * static_cast<double>(kernels::attention_pairs(tiles)) / seconds;
}

double head_rate(const LlamaConfig& c) {
  const std::ptrdiff_t rows = 64, columns = std::min<std::ptrdiff_t>(c.vocab_size, 16384),
                       width = c.hidden_size;
  const std::vector<float> hidden = filled(rows * width), weight = filled(columns * width);
  std::vector<float> logits(static_cast<std::size_t>(rows * columns));
  const double seconds = seconds_of([&] {
    kernels::ChosenProduct::gemm<float>(false, true, rows, columns, width, 1.0f, hidden.data(), width,
                                        weight.data(), width, 0.0f, logits.data(), columns);
  });
  return 2.0 * static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(width) /
         seconds;
}

}  // namespace

Calibration calibrate(const LlamaConfig& config) {
  Calibration out;
  out.attention = attention_rate(config);
  out.head = head_rate(config);

  LlamaConfig one = config;
  one.num_hidden_layers = 1;
  one.vocab_size = 64;
  const cost::ModelShape shape = model_shape(one);
  // As many rows as take about a fifth of a second at 100 GFLOP/s, the products' shapes still those of
  // training.
  const double wanted = 2e10 / (6.0 * static_cast<double>(shape.layer_weights()));
  out.rows = std::clamp<std::int64_t>(static_cast<std::int64_t>(wanted), 48, 512);
  out.rows = std::min<std::int64_t>(out.rows, one.max_position_embeddings);
  const std::vector<std::int32_t> prompt(static_cast<std::size_t>(out.rows), 1), response(1, 2);
  PackedSequences batch;
  batch.score_prompt(batch.append(prompt, response));  // so that the only layer computes all rows
  LlamaWeights<float> weights(one);
  fill(weights.data);
  std::vector<float> gradients(weights.layout.size());
  const std::vector<float> dlogps(static_cast<std::size_t>(batch.responses), 1.0f);
  CpuModel model(weights);
  const double seconds = seconds_of([&] {
    model.forward(batch);
    model.backward(dlogps, gradients);
  });
  const cost::Flops flops = cost::train_flops(shape, work_of(batch));
  // Attention of so few rows is a small part; taken out at its own rate.
  const double linear_seconds = std::max(seconds - flops.attention / out.attention, 0.1 * seconds);
  out.linear = flops.linear / linear_seconds;
  return out;
}

}  // namespace solopo::cli
