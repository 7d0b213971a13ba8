// The inventory of activations of one pass over S rows: which arrays exist, with their shapes, and how many
// of each. A training pass keeps what the backward reads for every layer; with `recompute` only each layer's
// input, and the backward runs the layer again; a pass without gradients reuses one layer's arrays. The MLP's
// wide arrays need not hold all rows at once: where nothing reads them later they hold `mlp_rows`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "solopo/core/view.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/model/llama_config.hpp"

namespace solopo {

enum class KeepActivations { none, layer_inputs, all };

// Workspace of a layer's rows; nothing in it outlives a product.
template <class T>
struct LayerScratch {
  MatrixView<T> normed;  // (S, C) a normalised row block, computed again where it is needed
  MatrixView<T> hidden;  // (mlp_rows, F) the MLP's inner activation, of the rows it works on
  MatrixView<T> inner;   // (S, R) x A^T of the adapters of one group of maps

  // That of rows [begin, end); arrays of mlp_rows rows stay whole.
  [[nodiscard]] LayerScratch slice(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
    return {normed.slice(begin, end), hidden, inner.slice(begin, end)};
  }
  // The same for rows that the MLP works on now.
  [[nodiscard]] LayerScratch part(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
    LayerScratch out = slice(begin, end);
    out.hidden = hidden.slice(0, end - begin);
    return out;
  }
};

template <class T>
class LlamaRunState {
 public:
  struct Layer {
    MatrixView<T> input;        // (S, C) residual stream before the layer
    MatrixView<T> qkv;          // (S, d_q + 2 d_kv) after rotation
    MatrixView<T> attention;    // (S, d_q) attention output, before its projection
    MatrixView<T> log_sum_exp;  // (S, heads)
    MatrixView<T> middle;       // (S, C) residual stream between attention and MLP
    MatrixView<T> gate_up;      // (S, 2 F) where it is kept, else (mlp_rows, 2 F) as LayerScratch::hidden
    bool keeps_gate_up = false;

    // Those of rows [begin, end); arrays of mlp_rows rows stay whole.
    [[nodiscard]] Layer slice(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
      return {input.slice(begin, end),
              qkv.slice(begin, end),
              attention.slice(begin, end),
              log_sum_exp.slice(begin, end),
              middle.slice(begin, end),
              keeps_gate_up ? gate_up.slice(begin, end) : gate_up,
              keeps_gate_up};
    }
    // The same for rows that the MLP works on now.
    [[nodiscard]] Layer part(std::ptrdiff_t begin, std::ptrdiff_t end) const noexcept {
      Layer out = slice(begin, end);
      if (!keeps_gate_up) out.gate_up = gate_up.slice(0, end - begin);
      return out;
    }
  };

  // Makes room for S rows of `config`'s activations, with adapters of `inner_columns`
  // (cost::lora_inner_columns) and the MLP at work on `mlp_rows` at once (0: all); what was there is lost.
  void prepare(const LlamaConfig& config, std::int32_t rows, KeepActivations keep,
               std::ptrdiff_t inner_columns = 0, std::int32_t mlp_rows = 0) {
    const std::int32_t tile = mlp_rows > 0 ? std::min(mlp_rows, rows) : rows;
    const std::size_t s = static_cast<std::size_t>(rows), c = config.hidden_size,
                      f = config.intermediate_size, t = static_cast<std::size_t>(tile);
    const auto n = static_cast<std::size_t>(config.num_hidden_layers);
    inputs_ = keep == KeepActivations::none ? 1 : n;
    keeps_all_ = keep == KeepActivations::all;
    works_ = keeps_all_ ? n : 1;
    gate_up_rows_ = keeps_all_ ? rows : tile;
    const std::size_t qkv = config.qkv_width(), dq = config.query_width(), heads = config.num_attention_heads;
    input_size_ = s * c;
    work_size_ = s * (qkv + dq + heads + c) + static_cast<std::size_t>(gate_up_rows_) * 2 * f;
    // One input more than layers: the last is the output of the last layer.
    const std::size_t shared = s * (c + static_cast<std::size_t>(inner_columns)) + t * f;
    kernels::resize_discarding(arena_, input_size_ * (inputs_ + 1) + work_size_ * works_ + shared);
    rows_ = rows;
    config_ = config;
    scratch_.normed =
        dense(arena_.data() + input_size_ * (inputs_ + 1) + work_size_ * works_, rows, config.hidden_size);
    scratch_.hidden = dense(scratch_.normed.data + s * c, tile, config.intermediate_size);
    scratch_.inner = dense(scratch_.hidden.data + t * f, rows, inner_columns);
  }

  // Layer i's arrays; where arrays are shared between layers, only one layer's content is there at a time.
  [[nodiscard]] Layer layer(std::size_t i) {
    Layer l;
    l.input = input(i);
    T* p = arena_.data() + input_size_ * (inputs_ + 1) + work_size_ * (i % works_);
    const auto take = [&](std::ptrdiff_t rows, std::ptrdiff_t columns) {
      const auto view = dense(p, rows, columns);
      p += rows * columns;
      return view;
    };
    l.qkv = take(rows_, config_.qkv_width());
    l.attention = take(rows_, config_.query_width());
    l.middle = take(rows_, config_.hidden_size);
    l.gate_up = take(gate_up_rows_, 2 * std::ptrdiff_t(config_.intermediate_size));
    l.log_sum_exp = take(rows_, config_.num_attention_heads);
    l.keeps_gate_up = keeps_all_;
    return l;
  }

  // The input of layer i, or for i = number of layers the model's output before the final norm; (S, C).
  // A pass that keeps nothing has two, used in turn.
  [[nodiscard]] MatrixView<T> input(std::size_t i) {
    return dense(arena_.data() + input_size_ * (i % (inputs_ + 1)), rows_, config_.hidden_size);
  }

  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.capacity() * sizeof(T); }
  [[nodiscard]] std::int32_t rows() const noexcept { return rows_; }
  // That the MLP works on at once.
  [[nodiscard]] std::ptrdiff_t mlp_rows() const noexcept { return scratch_.hidden.rows; }

  // Shared by all layers.
  [[nodiscard]] const LayerScratch<T>& scratch() const noexcept { return scratch_; }

 private:
  kernels::AlignedVector<T> arena_;
  LayerScratch<T> scratch_;
  LlamaConfig config_;
  std::int32_t rows_ = 0, gate_up_rows_ = 0;
  bool keeps_all_ = false;
  std::size_t inputs_ = 1, works_ = 1, input_size_ = 0, work_size_ = 0;
};

}  // namespace solopo
