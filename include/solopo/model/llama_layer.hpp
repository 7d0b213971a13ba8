// One decoder layer over S rows, forward and backward, written once for training, scoring and generation.
//   normed = rms_norm(input);  q, k, v = normed Wqkv^T (+ bias), q and k rotated;  attention over the tiles
//   middle = input + attention Wo^T;  normed = rms_norm(middle);  gate, up = normed Wgu^T
//   output = middle + (silu(gate) * up) Wd^T
// The lines from `middle` on need no other row, so they may run for a part of the rows after the other.
// Any of these products may have low-rank adapters beside it (lora.hpp): then W is frozen, and y = x W^T has
// + s u B^T of each in its columns, u = x A^T. The backward computes u again: it is thin.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "solopo/core/view.hpp"
#include "solopo/kernels/attention.hpp"
#include "solopo/kernels/bf16_product.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/product.hpp"
#include "solopo/kernels/rms_norm.hpp"
#include "solopo/kernels/rotary.hpp"
#include "solopo/kernels/skinny_product.hpp"
#include "solopo/kernels/swiglu.hpp"
#include "solopo/kernels/team.hpp"
#include "solopo/model/computed_rows.hpp"
#include "solopo/model/llama_run_state.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"

namespace solopo {

template <class T, class Product>
class LlamaLayer {
 public:
  using Activations = typename LlamaRunState<T>::Layer;

  // Layer `index` of a model, with its adapters or without; all must live as long as this. `rounded` is null,
  // or all weights as kernels::rounded_for() made them: the forward takes those.
  LlamaLayer(const LlamaWeights<T>& weights, std::size_t index, const LoraWeights<T>* lora = nullptr,
             const BFloat16* rounded = nullptr)
      : config_(weights.config),
        offsets_(weights.layout.layers[index]),
        weights_(weights.data.data()),
        rounded_(rounded),
        lora_(lora),
        adapters_(lora ? lora->layout.layers[index] : no_adapters) {}

  // From a.input to a.qkv (q and k rotated to `positions`); scratch.normed and .inner are workspace.
  void project_qkv(const Activations& a, const LayerScratch<T>& scratch,
                   std::span<const std::int32_t> positions, const kernels::RotaryTable<T>& rotary) const {
    norm(a.input, offsets_.input_norm, scratch.normed);
    linear(scratch.normed, offsets_.qkv, a.qkv, T(0));
    if (config_.attention_bias) add_bias(a.qkv, offsets_.qkv_bias);
    adapt(scratch.normed, adapters_.qkv, scratch.inner, a.qkv);
    rotate(a.qkv, positions, rotary, T(1));
  }

  // The same for keys and values alone: a.qkv's other columns stay as they are.
  void project_keys(const Activations& a, const LayerScratch<T>& scratch,
                    std::span<const std::int32_t> positions, const kernels::RotaryTable<T>& rotary) const {
    norm(a.input, offsets_.input_norm, scratch.normed);
    const MatrixView<T> kv = kv_part(a.qkv);
    linear(scratch.normed, kv_weight(), kv, T(0));
    if (config_.attention_bias) add_bias(kv, kv_bias());
    adapt(scratch.normed, kv_adapters(), scratch.inner, a.qkv);
    rotate_heads(kv, config_.num_key_value_heads, positions, rotary, T(1));
  }

  // And for queries alone, after project_keys() normalised these rows.
  void project_queries(const Activations& a, const LayerScratch<T>& scratch,
                       std::span<const std::int32_t> positions, const kernels::RotaryTable<T>& rotary) const {
    const MatrixView<T> q = q_part(a.qkv);
    linear(scratch.normed, offsets_.qkv, q, T(0));
    if (config_.attention_bias) add_bias(q, offsets_.qkv_bias);
    adapt(scratch.normed, q_adapters(), scratch.inner, a.qkv);
    rotate_heads(q, config_.num_attention_heads, positions, rotary, T(1));
  }

  // From a.input and a.attention to a.middle; scratch.inner is workspace.
  void project_output(const Activations& a, const LayerScratch<T>& scratch) const {
    copy(a.input, a.middle);
    linear(a.attention, offsets_.output, a.middle, T(1));
    adapt(a.attention, adapters_.output, scratch.inner, a.middle);
  }

  // From a.input to a.middle, for one batch that attends to itself and to what was read before.
  void attend(const Activations& a, const LayerScratch<T>& scratch, std::span<const std::int32_t> positions,
              std::span<const kernels::AttentionTile> tiles, const kernels::RotaryTable<T>& rotary,
              const kernels::KeyValues<T>& read) const {
    project_qkv(a, scratch, positions, rotary);
    kernels::attention_forward<T, Tile>(shape(), tiles, q_of(a.qkv), k_of(a.qkv), v_of(a.qkv), a.attention,
                                        a.log_sum_exp, read);
    project_output(a, scratch);
  }

  // The same where only some rows are computed whole: keys and values of all, the rest of those.
  void attend(const Activations& a, const LayerScratch<T>& scratch, std::span<const std::int32_t> positions,
              const ComputedRows& computed, const kernels::RotaryTable<T>& rotary,
              const kernels::KeyValues<T>& read) const {
    project_keys(a, scratch, positions, rotary);
    each_run(computed, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      project_queries(a.slice(begin, end), scratch.slice(begin, end), part_of(positions, begin, end), rotary);
    });
    kernels::attention_forward<T, Tile>(shape(), computed.tiles, q_of(a.qkv), k_of(a.qkv), v_of(a.qkv),
                                        a.attention, a.log_sum_exp, read);
    each_run(computed, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      project_output(a.slice(begin, end), scratch.slice(begin, end));
    });
  }

  // The same for rows that attend to a cache (K, 2 d_kv) of keys and values; theirs are put into its rows
  // `places` first.
  void attend_cached(const Activations& a, const LayerScratch<T>& scratch,
                     std::span<const std::int32_t> positions, std::span<const kernels::AttentionTile> tiles,
                     const kernels::RotaryTable<T>& rotary, MatrixView<T> cache,
                     std::span<const std::int32_t> places) const {
    project_qkv(a, scratch, positions, rotary);
    store_keys(a, cache, places);
    const kernels::KeyValues<T> cached = keys_of(cache);
    const auto attend = [&]<class P>(std::type_identity<P>) {
      kernels::attention_forward<T, P>(shape(), tiles, q_of(a.qkv), cached.k, cached.v, a.attention,
                                       a.log_sum_exp);
    };
    // Rows that are a token of a sample each are too few to gain by rounding, and how many of them stand
    // together must not show in their bits.
    const auto is_causal = [](const kernels::AttentionTile& tile) { return tile.causal; };
    if (std::any_of(tiles.begin(), tiles.end(), is_causal))
      attend(std::type_identity<Tile>());
    else
      attend(std::type_identity<kernels::TileProduct>());
    project_output(a, scratch);
  }

  // From a.middle to `output` (S, C), and to a.gate_up where that is kept.
  void run_mlp(const Activations& a, const LayerScratch<T>& scratch, MatrixView<T> output) const {
    each_part(a.middle.rows, scratch, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      const Activations part = a.part(begin, end);
      const LayerScratch<T> work = scratch.part(begin, end);
      project_gate_up(part, work);
      project_down(part, work, output.slice(begin, end));
    });
  }

  void run_mlp(const Activations& a, const LayerScratch<T>& scratch, const ComputedRows& computed,
               MatrixView<T> output) const {
    each_run(computed, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      run_mlp(a.slice(begin, end), scratch.slice(begin, end), output.slice(begin, end));
    });
  }

  // The keys and values of a.qkv into the rows `places` of a cache (K, 2 d_kv).
  void store_keys(const Activations& a, MatrixView<T> cache, std::span<const std::int32_t> places) const {
    for (std::size_t i = 0; i < places.size(); ++i)
      std::copy_n(a.qkv.row(static_cast<std::ptrdiff_t>(i)) + config_.query_width(), cache.columns,
                  cache.row(places[i]));
  }

  [[nodiscard]] kernels::KeyValues<T> keys_of(MatrixView<const T> cache) const noexcept {
    const std::ptrdiff_t width = config_.kv_width();
    return {{cache.data, cache.rows, width, cache.stride},
            {cache.data + width, cache.rows, width, cache.stride}};
  }

  // Gradients that one layer's backward computes on its way.
  struct Gradients {
    MatrixView<T> dqkv;        // (S, d_q + 2 d_kv)
    MatrixView<T> dattention;  // (S, d_q)
    MatrixView<T> dgate_up;    // (mlp_rows, 2 F), of the rows the MLP works on
    MatrixView<T> dnormed;     // (S, C)
    MatrixView<T> dhidden;     // (mlp_rows, F)
    MatrixView<T> dinner;      // (S, R)

    // Those of rows [begin, end); arrays of mlp_rows rows stay whole.
    [[nodiscard]] Gradients slice(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
      return {
          dqkv.slice(begin, end),  dattention.slice(begin, end), dgate_up, dnormed.slice(begin, end), dhidden,
          dinner.slice(begin, end)};
    }
    // The same for rows that the MLP works on now.
    [[nodiscard]] Gradients part(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
      Gradients out = slice(begin, end);
      out.dgate_up = dgate_up.slice(0, end - begin);
      out.dhidden = dhidden.slice(0, end - begin);
      return out;
    }
  };

  // Workspace of the backward, shared by all layers.
  struct BackwardWorkspace : Gradients {
    kernels::AlignedVector<T> arena;

    // With the MLP at work on `mlp_rows` rows at once.
    void prepare(const LlamaConfig& c, std::ptrdiff_t rows, std::ptrdiff_t inner_columns,
                 std::ptrdiff_t mlp_rows) {
      const std::ptrdiff_t f = c.intermediate_size;
      const struct {
        MatrixView<T>& view;
        std::ptrdiff_t rows, columns;
      } arrays[] = {{this->dqkv, rows, c.qkv_width()}, {this->dattention, rows, c.query_width()},
                    {this->dgate_up, mlp_rows, 2 * f}, {this->dnormed, rows, c.hidden_size},
                    {this->dhidden, mlp_rows, f},      {this->dinner, rows, inner_columns}};
      std::ptrdiff_t total = 0;
      for (const auto& array : arrays) total += array.rows * array.columns;
      kernels::resize_discarding(arena, static_cast<std::size_t>(total));
      T* p = arena.data();
      for (const auto& array : arrays) {
        array.view = dense(p, array.rows, array.columns);
        p += array.rows * array.columns;
      }
    }
  };

  // dstream (S, C) holds dL/d output and becomes dL/d input; the gradients of what is trained, the weights or
  // the adapters, are added into `gradients`.
  void backward(const Activations& a, const LayerScratch<T>& scratch, const Gradients& w,
                std::span<const std::int32_t> positions, std::span<const kernels::AttentionTile> tiles,
                const kernels::RotaryTable<T>& rotary, const kernels::KeyValues<T>& read,
                MatrixView<T> dstream, T* gradients) const {
    backward_to_attention(a, scratch, w, dstream, gradients);
    backward_through_attention(a, w, positions, tiles, rotary, read);
    norm(a.input, offsets_.input_norm, scratch.normed);
    project_backward(w.dqkv, scratch.normed, offsets_.qkv, adapters_.qkv, 0, scratch, w, T(0), gradients);
    if (config_.attention_bias && lora_ == nullptr) column_sums(w.dqkv, gradients + offsets_.qkv_bias);
    norm_backward(a.input, offsets_.input_norm, w.dnormed, dstream, gradients);
  }

  // The same where only some rows were computed whole: dstream is zero in the others.
  void backward(const Activations& a, const LayerScratch<T>& scratch, const Gradients& w,
                std::span<const std::int32_t> positions, const ComputedRows& computed,
                const kernels::RotaryTable<T>& rotary, const kernels::KeyValues<T>& read,
                MatrixView<T> dstream, T* gradients) const {
    each_run(computed, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      backward_to_attention(a.slice(begin, end), scratch.slice(begin, end), w.slice(begin, end),
                            dstream.slice(begin, end), gradients);
    });
    backward_through_attention(a, w, positions, computed.tiles, rotary, read);
    norm(a.input, offsets_.input_norm, scratch.normed);
    const MatrixView<T> dkv = kv_part(w.dqkv);
    project_backward(dkv, scratch.normed, kv_weight(), kv_adapters(), config_.query_width(), scratch, w, T(0),
                     gradients);
    if (config_.attention_bias && lora_ == nullptr) column_sums(dkv, gradients + kv_bias());
    each_run(computed, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      const LayerScratch<T> part = scratch.slice(begin, end);
      const MatrixView<T> dq = q_part(w.dqkv).slice(begin, end);
      project_backward(dq, part.normed, offsets_.qkv, q_adapters(), 0, part, w.slice(begin, end), T(1),
                       gradients);
      if (config_.attention_bias && lora_ == nullptr) column_sums(dq, gradients + offsets_.qkv_bias);
    });
    norm_backward(a.input, offsets_.input_norm, w.dnormed, dstream, gradients);
  }

  [[nodiscard]] kernels::AttentionShape shape() const noexcept {
    return {config_.num_attention_heads, config_.num_key_value_heads, config_.head_dim};
  }
  [[nodiscard]] MatrixView<T> q_part(MatrixView<T> qkv) const noexcept {
    return {qkv.data, qkv.rows, config_.query_width(), qkv.stride};
  }
  [[nodiscard]] MatrixView<T> k_part(MatrixView<T> qkv) const noexcept {
    return {qkv.data + config_.query_width(), qkv.rows, config_.kv_width(), qkv.stride};
  }
  [[nodiscard]] MatrixView<T> v_part(MatrixView<T> qkv) const noexcept {
    return {qkv.data + config_.query_width() + config_.kv_width(), qkv.rows, config_.kv_width(), qkv.stride};
  }
  // Keys and values, which lie side by side.
  [[nodiscard]] MatrixView<T> kv_part(MatrixView<T> qkv) const noexcept {
    return {qkv.data + config_.query_width(), qkv.rows, 2 * std::ptrdiff_t(config_.kv_width()), qkv.stride};
  }
  [[nodiscard]] MatrixView<const T> q_of(MatrixView<T> qkv) const noexcept { return q_part(qkv); }
  [[nodiscard]] MatrixView<const T> k_of(MatrixView<T> qkv) const noexcept { return k_part(qkv); }
  [[nodiscard]] MatrixView<const T> v_of(MatrixView<T> qkv) const noexcept { return v_part(qkv); }

 private:
  using Tile = kernels::TileProductOf<Product>;
  using Adapter = LoraLayout::Adapter;
  using Adapters = std::span<const Adapter>;  // of one group: maps of the same rows, side by side

  inline static const LoraLayout::Layer no_adapters;

  // f(begin, end) for each run of rows.
  template <class F>
  static void each_run(const ComputedRows& computed, F&& f) {
    for (const RowRun& run : computed.runs) f(std::ptrdiff_t(run.begin), std::ptrdiff_t(run.end));
  }
  static std::span<const std::int32_t> part_of(std::span<const std::int32_t> rows, std::ptrdiff_t begin,
                                               std::ptrdiff_t end) {
    return rows.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  }

  // Where the weights of keys and values begin, and their biases and adapters.
  [[nodiscard]] std::size_t kv_weight() const noexcept {
    return offsets_.qkv +
           static_cast<std::size_t>(config_.query_width()) * static_cast<std::size_t>(config_.hidden_size);
  }
  [[nodiscard]] std::size_t kv_bias() const noexcept {
    return offsets_.qkv_bias + static_cast<std::size_t>(config_.query_width());
  }
  [[nodiscard]] auto first_kv_adapter() const noexcept {
    return std::find_if(adapters_.qkv.begin(), adapters_.qkv.end(),
                        [&](const Adapter& adapter) { return adapter.column >= config_.query_width(); });
  }
  [[nodiscard]] Adapters q_adapters() const noexcept { return {adapters_.qkv.begin(), first_kv_adapter()}; }
  [[nodiscard]] Adapters kv_adapters() const noexcept { return {first_kv_adapter(), adapters_.qkv.end()}; }

  // f(begin, end) for parts of `rows` rows that the MLP's arrays have room for, all of nearly one size.
  template <class F>
  static void each_part(std::ptrdiff_t rows, const LayerScratch<T>& scratch, F&& f) {
    const std::ptrdiff_t most = scratch.hidden.rows, parts = (rows + most - 1) / most;
    for (std::ptrdiff_t p = 0; p < parts; ++p) f(rows * p / parts, rows * (p + 1) / parts);
  }

  // From a.middle to a.gate_up; scratch.normed and .inner are workspace.
  void project_gate_up(const Activations& a, const LayerScratch<T>& scratch) const {
    norm(a.middle, offsets_.mlp_norm, scratch.normed);
    linear(scratch.normed, offsets_.gate_up, a.gate_up, T(0));
    adapt(scratch.normed, adapters_.gate_up, scratch.inner, a.gate_up);
  }

  // From a.middle and a.gate_up to `output` (S, C); scratch.hidden and .inner are workspace.
  void project_down(const Activations& a, const LayerScratch<T>& scratch, MatrixView<T> output) const {
    const int f = config_.intermediate_size;
    each_row(scratch.hidden.rows, [&](std::ptrdiff_t i) {
      kernels::swiglu_row(team_, a.gate_up.row(i), a.gate_up.row(i) + f, scratch.hidden.row(i), f);
    });
    copy(a.middle, output);
    linear(scratch.hidden, offsets_.down, output, T(1));
    adapt(scratch.hidden, adapters_.down, scratch.inner, output);
  }

  // The MLP and the attention's projection: from dL/d output to dL/d middle in dstream and w.dattention.
  void backward_to_attention(const Activations& a, const LayerScratch<T>& scratch, const Gradients& w,
                             MatrixView<T> dstream, T* gradients) const {
    each_part(dstream.rows, scratch, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      const Activations part = a.part(begin, end);
      const LayerScratch<T> work = scratch.part(begin, end);
      if (!part.keeps_gate_up) project_gate_up(part, work);
      backward_mlp(part, work, w.part(begin, end), dstream.slice(begin, end), gradients);
    });
    input_gradient(dstream, offsets_.output, adapters_.output, 0, w.dinner, T(0), w.dattention);
    weight_gradient(dstream, a.attention, offsets_.output, adapters_.output, 0, scratch.inner, w.dinner,
                    gradients);
  }

  // From dL/d output to dL/d middle in dstream.
  void backward_mlp(const Activations& a, const LayerScratch<T>& scratch, const Gradients& w,
                    MatrixView<T> dstream, T* gradients) const {
    const int f = config_.intermediate_size;
    // dgate_up is written over nothing the forward kept; normed and hidden are computed again.
    input_gradient(dstream, offsets_.down, adapters_.down, 0, w.dinner, T(0), w.dhidden);
    each_row(dstream.rows, [&](std::ptrdiff_t i) {
      const T* gate = a.gate_up.row(i);
      kernels::swiglu_row_backward(team_, gate, gate + f, w.dhidden.row(i), scratch.hidden.row(i),
                                   w.dgate_up.row(i), w.dgate_up.row(i) + f, f);
    });
    weight_gradient(dstream, scratch.hidden, offsets_.down, adapters_.down, 0, scratch.inner, w.dinner,
                    gradients);
    norm(a.middle, offsets_.mlp_norm, scratch.normed);
    project_backward(w.dgate_up, scratch.normed, offsets_.gate_up, adapters_.gate_up, 0, scratch, w, T(0),
                     gradients);
    norm_backward(a.middle, offsets_.mlp_norm, w.dnormed, dstream, gradients);
  }

  // From w.dattention to w.dqkv, before rotation.
  void backward_through_attention(const Activations& a, const Gradients& w,
                                  std::span<const std::int32_t> positions,
                                  std::span<const kernels::AttentionTile> tiles,
                                  const kernels::RotaryTable<T>& rotary,
                                  const kernels::KeyValues<T>& read) const {
    fill_zero(w.dqkv);
    kernels::attention_backward<T, Tile>(shape(), tiles, q_of(a.qkv), k_of(a.qkv), v_of(a.qkv), a.attention,
                                         a.log_sum_exp, w.dattention, q_part(w.dqkv), k_part(w.dqkv),
                                         v_part(w.dqkv), read);
    rotate(w.dqkv, positions, rotary, T(-1));
  }

  // Both gradients of a map, that of its input into w.dnormed.
  void project_backward(MatrixView<T> dy, MatrixView<T> x, std::size_t weight, Adapters adapters,
                        std::ptrdiff_t first, const LayerScratch<T>& scratch, const Gradients& w, T keep,
                        T* gradients) const {
    input_gradient(dy, weight, adapters, first, w.dinner, keep, w.dnormed);
    weight_gradient(dy, x, weight, adapters, first, scratch.inner, w.dinner, gradients);
  }

  template <class F>
  static void each_row(std::ptrdiff_t rows, F&& f) {
    kernels::parallel_ranges(rows, 16, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      for (std::ptrdiff_t i = begin; i < end; ++i) f(i);
    });
  }

  void norm(MatrixView<T> x, std::size_t weight, MatrixView<T> y) const {
    each_row(x.rows, [&](std::ptrdiff_t i) {
      kernels::rms_norm_row(team_, static_cast<const T*>(x.row(i)), weights_ + weight, y.row(i),
                            config_.hidden_size, static_cast<T>(config_.rms_norm_eps));
    });
  }

  // Adds dL/dx into dx (S, C) and, unless it is frozen, dL/dw into gradients, given dy (S, C).
  void norm_backward(MatrixView<T> x, std::size_t weight, MatrixView<T> dy, MatrixView<T> dx,
                     T* gradients) const {
    kernels::AlignedVector<T> scale(static_cast<std::size_t>(x.rows));
    each_row(x.rows, [&](std::ptrdiff_t i) {
      scale[static_cast<std::size_t>(i)] = kernels::rms_norm_row_backward(
          team_, static_cast<const T*>(x.row(i)), weights_ + weight, static_cast<const T*>(dy.row(i)),
          dx.row(i), config_.hidden_size, static_cast<T>(config_.rms_norm_eps));
    });
    if (lora_ != nullptr) return;
    T* dw = gradients + weight;
    kernels::parallel_ranges(config_.hidden_size, 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      for (std::ptrdiff_t r = 0; r < x.rows; ++r) {
        const T s = scale[static_cast<std::size_t>(r)];
        const T *xr = x.row(r) + begin, *dyr = dy.row(r) + begin;
        team_.each(static_cast<int>(end - begin), [&](int i) { dw[begin + i] += dyr[i] * xr[i] * s; });
      }
    });
  }

  // y (S, out) = x (S, in) W^T + keep * y
  void linear(MatrixView<T> x, std::size_t weight, MatrixView<T> y, T keep) const {
    if constexpr (std::same_as<T, float> && kernels::ProjectsRounded<Product>)
      if (rounded_ != nullptr)
        return Product::project(x, dense(rounded_ + weight, y.columns, x.columns), keep, y);
    kernels::project<Product>(MatrixView<const T>(x), dense(weights_ + weight, y.columns, x.columns), keep,
                              y);
  }

  void add_bias(MatrixView<T> y, std::size_t bias) const {
    each_row(y.rows, [&](std::ptrdiff_t i) {
      T* row = y.row(i);
      const T* b = weights_ + bias;
      team_.each(static_cast<int>(y.columns), [&](int j) { row[j] += b[j]; });
    });
  }

  // dx (S, in) = dy (S, out) W + keep * dx, and of adapters dinner = s dy B and dx += dinner A. dy begins at
  // column `first` of its group's.
  void input_gradient(MatrixView<T> dy, std::size_t weight, Adapters adapters, std::ptrdiff_t first,
                      MatrixView<T> dinner, T keep, MatrixView<T> dx) const {
    Product::template gemm<T>(false, false, dy.rows, dx.columns, dy.columns, T(1), dy.data, dy.stride,
                              weights_ + weight, dx.columns, keep, dx.data, dx.stride);
    if (adapters.empty()) return;
    const MatrixView<T> du = inner_of(adapters, dinner);
    for_each(adapters, [&](const Adapter& adapter, std::ptrdiff_t column) {
      Product::template gemm<T>(false, false, dy.rows, rank(), adapter.columns, scale(),
                                dy.data + adapter.column - first, dy.stride, lora_->data.data() + adapter.b,
                                rank(), T(0), du.data + column, du.stride);
    });
    Product::template gemm<T>(false, false, dy.rows, dx.columns, du.columns, T(1), du.data, du.stride,
                              lora_->data.data() + adapters.front().a, dx.columns, T(1), dx.data, dx.stride);
  }

  // dW (out, in) += dy^T (out, S) x (S, in), or where W is frozen of its adapters, after input_gradient()
  // gave their dinner: dA += dinner^T x, dB += s dy^T x A^T
  void weight_gradient(MatrixView<T> dy, MatrixView<T> x, std::size_t weight, Adapters adapters,
                       std::ptrdiff_t first, MatrixView<T> inner, MatrixView<T> dinner, T* gradients) const {
    const auto add = [](MatrixView<const T> d, MatrixView<const T> of, T factor, T* sum) {
      Product::template gemm<T>(true, false, d.columns, of.columns, of.rows, factor, d.data, d.stride,
                                of.data, of.stride, T(1), sum, of.columns);
    };
    if (lora_ == nullptr) return add(dy, x, T(1), gradients + weight);
    if (adapters.empty()) return;
    const MatrixView<T> u = project_inner(x, adapters, inner);
    for_each(adapters, [&](const Adapter& adapter, std::ptrdiff_t column) {
      add({dy.data + adapter.column - first, dy.rows, adapter.columns, dy.stride},
          {u.data + column, u.rows, rank(), u.stride}, scale(), gradients + adapter.b);
    });
    add(inner_of(adapters, dinner), x, T(1), gradients + adapters.front().a);
  }

  // y += s u B^T in the columns of each adapter.
  void adapt(MatrixView<T> x, Adapters adapters, MatrixView<T> inner, MatrixView<T> y) const {
    if (adapters.empty()) return;
    const MatrixView<T> u = project_inner(x, adapters, inner);
    for_each(adapters, [&](const Adapter& adapter, std::ptrdiff_t column) {
      Product::template gemm<T>(false, true, y.rows, adapter.columns, rank(), scale(), u.data + column,
                                u.stride, lora_->data.data() + adapter.b, rank(), T(1),
                                y.data + adapter.column, y.stride);
    });
  }

  // u (S, adapters r) = x A^T of all of them.
  MatrixView<T> project_inner(MatrixView<T> x, Adapters adapters, MatrixView<T> inner) const {
    const MatrixView<T> u = inner_of(adapters, inner);
    kernels::project<Product>(MatrixView<const T>(x),
                              dense<const T>(lora_->data.data() + adapters.front().a, u.columns, x.columns),
                              T(0), u);
    return u;
  }

  // The part of the workspace that these adapters take, r columns each.
  [[nodiscard]] MatrixView<T> inner_of(Adapters adapters, MatrixView<T> workspace) const noexcept {
    return dense(workspace.data, workspace.rows, static_cast<std::ptrdiff_t>(adapters.size()) * rank());
  }
  [[nodiscard]] std::ptrdiff_t rank() const noexcept { return lora_->config.rank; }
  [[nodiscard]] T scale() const noexcept { return static_cast<T>(lora_->config.scale()); }

  // f(adapter, its first column in the workspace).
  template <class F>
  void for_each(Adapters adapters, F&& f) const {
    for (std::size_t i = 0; i < adapters.size(); ++i) f(adapters[i], static_cast<std::ptrdiff_t>(i) * rank());
  }

  void rotate(MatrixView<T> qkv, std::span<const std::int32_t> positions,
              const kernels::RotaryTable<T>& rotary, T direction) const {
    rotate_heads(qkv, config_.num_attention_heads + config_.num_key_value_heads, positions, rotary,
                 direction);
  }

  // The first `heads` heads of each row.
  void rotate_heads(MatrixView<T> rows, int heads, std::span<const std::int32_t> positions,
                    const kernels::RotaryTable<T>& rotary, T direction) const {
    const int d = config_.head_dim;
    each_row(rows.rows, [&](std::ptrdiff_t i) {
      const std::int32_t p = positions[static_cast<std::size_t>(i)];
      for (int h = 0; h < heads; ++h)
        kernels::rotary_head(team_, rows.row(i) + std::ptrdiff_t(h) * d, rotary.cos(p), rotary.sin(p), d,
                             direction);
    });
  }

  void column_sums(MatrixView<T> y, T* sums) const {
    kernels::parallel_ranges(y.columns, 64, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      for (std::ptrdiff_t r = 0; r < y.rows; ++r) {
        const T* row = y.row(r);
        team_.each(static_cast<int>(end - begin), [&](int i) { sums[begin + i] += row[begin + i]; });
      }
    });
  }

  static void copy(MatrixView<T> from, MatrixView<T> to) {
    each_row(from.rows, [&](std::ptrdiff_t i) { std::copy_n(from.row(i), from.columns, to.row(i)); });
  }
  static void fill_zero(MatrixView<T> x) {
    each_row(x.rows, [&](std::ptrdiff_t i) { std::fill_n(x.row(i), x.columns, T(0)); });
  }

  const LlamaConfig& config_;
  const LlamaLayout::Layer& offsets_;
  const T* weights_;
  const BFloat16* rounded_;
  const LoraWeights<T>* lora_;  // null: the weights themselves are trained
  const LoraLayout::Layer& adapters_;
  [[no_unique_address]] kernels::CpuTeam team_;
};

}  // namespace solopo
