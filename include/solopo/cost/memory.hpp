// Memory of a training step in bytes. Activations are solopo's own inventory (model/llama_run_state.hpp and
// the backward's workspace in model/llama_layer.hpp), so for float32 the sum is what the running model
// allocates, to the byte; the allocator, the program and its libraries come on top.
#pragma once

#include <algorithm>

#include "solopo/core/error.hpp"
#include "solopo/cost/lora.hpp"
#include "solopo/cost/model_shape.hpp"

namespace solopo::cost {

// Bytes of one number of each kind.
struct Storage {
  Count weight = 4;
  Count master = 0;  // a float32 copy of the weights beside narrower ones; 0: the weights are the masters
  Count gradient = 4;
  Count optimiser = 8;  // AdamW's two running means in float32
  Count activation = 4;
  Count logit = 4;  // of the tile of logits, and its derivative where that is held beside it
};
inline constexpr Storage float32_storage{};
// bfloat16 weights and activations; masters, gradients and the optimiser in float32.
inline constexpr Storage bf16_storage{
    .weight = 2, .master = 4, .gradient = 4, .optimiser = 8, .activation = 2};

// What one pass keeps: everything the backward reads, or each layer's input only (the backward runs the layer
// again), or nothing (no backward follows).
enum class Kept { everything, layer_inputs, nothing };

struct MemoryOptions {
  Storage storage = float32_storage;
  Kept kept = Kept::everything;
  Count head_tile_rows = 512;  // rows and columns of logits that exist at once (kernels/lm_head.hpp)
  Count head_tile_columns = 768;
  Count read_rows_at_once = 512;  // of read prompts, through one layer; no more than the longest prompt's
  Count mlp_rows = 0;             // that the MLP works on at once; 0: all
  Lora lora{};                    // rank 0: every weight has a gradient and optimiser state
};

// The same with the logits of `rows` rows as one array, as systems hold them that have no tiles.
[[nodiscard]] constexpr MemoryOptions with_all_logits(MemoryOptions options, const ModelShape& shape,
                                                      Count rows) noexcept {
  options.head_tile_rows = rows;
  options.head_tile_columns = shape.vocabulary;
  return options;
}

struct MemoryBytes {
  Count weights = 0;      // and their float32 masters
  Count gradients = 0;    // of the trained weights
  Count optimiser = 0;    // of the trained weights
  Count activations = 0;  // held from forward to backward
  Count workspace = 0;    // one layer's, forward and backward; does not grow with the layers
  Count head = 0;         // the scored rows, their gradients, and one tile of logits
  Count key_sums = 0;     // partial sums of key and value gradients, while attention's backward runs
  Count read_keys = 0;    // keys and values of rows read without gradient, all layers

  [[nodiscard]] constexpr Count model_state() const { return sum(sum(weights, gradients), optimiser); }
  [[nodiscard]] constexpr Count step() const {
    return sum(sum(activations, workspace), sum(head, sum(key_sums, read_keys)));
  }
  [[nodiscard]] constexpr Count total() const { return sum(model_state(), step()); }

  // What a program holds after two passes, since its arrays only grow.
  [[nodiscard]] constexpr MemoryBytes grown_to(const MemoryBytes& b) const {
    return {.weights = std::max(weights, b.weights),
            .gradients = std::max(gradients, b.gradients),
            .optimiser = std::max(optimiser, b.optimiser),
            .activations = std::max(activations, b.activations),
            .workspace = std::max(workspace, b.workspace),
            .head = std::max(head, b.head),
            .key_sums = std::max(key_sums, b.key_sums),
            .read_keys = std::max(read_keys, b.read_keys)};
  }
};

// Weights, gradients and optimiser; no activations.
constexpr MemoryBytes state_memory(const ModelShape& shape, const MemoryOptions& options = {}) {
  const Storage& s = options.storage;
  const Count adapters = lora_weights(shape, options.lora), all = require_shape(shape).weights();
  const Count trained = options.lora.rank > 0 ? adapters : all;
  MemoryBytes out;
  out.weights = sum(product(all, s.weight), product(trained, s.master));
  if (options.lora.rank > 0) out.weights = sum(out.weights, product(adapters, s.weight));
  out.gradients = product(trained, s.gradient);
  out.optimiser = product(trained, s.optimiser);
  return out;
}

namespace memory_detail {

// Columns that a layer's backward reads beside the layer's input: q, k, v, the attention's output, its
// log-sum-exp, the stream between attention and MLP; and then gate and up.
constexpr Count attention_columns(const ModelShape& s) {
  return sum(sum(s.qkv_width(), s.query_width()), sum(s.heads, s.width));
}
constexpr Count gate_up_columns(const ModelShape& s) { return product(2, s.ffn); }

// Partial sums attention's backward holds: 4 of them, but no more than there are blocks of 64 query rows.
constexpr Count key_gradient_parts(Count rows) { return std::min<Count>(4, sum(rows, 63) / 64); }

}  // namespace memory_detail

// Activations of one pass over `rows` rows of which `head_rows` are scored, and `read_rows` more of which
// only keys and values are held.
constexpr MemoryBytes activation_memory(const ModelShape& shape, Count rows, Count head_rows,
                                        const MemoryOptions& options = {}, Count read_rows = 0) {
  namespace detail = memory_detail;
  require_shape(shape);
  require_count("rows", rows);
  require_count("mlp_rows", options.mlp_rows);
  const Count b = options.storage.activation;
  const auto bytes = [b](Count n, Count columns) { return product(b, product(n, columns)); };
  // Of `n` rows, those in the MLP at once.
  const auto tile = [&](Count n) { return options.mlp_rows > 0 ? std::min(n, options.mlp_rows) : n; };
  const bool backward = options.kept != Kept::nothing;
  // One stream more than layers: the last is the last layer's output. A pass that keeps nothing takes turns
  // with two.
  const Count streams = backward ? sum(shape.layers, 1) : 2;
  const bool everything = options.kept == Kept::everything;
  const Count layers = everything ? shape.layers : 1, gate_up = detail::gate_up_columns(shape);
  const Count activations =
      sum(bytes(rows, sum(product(streams, shape.width), product(layers, detail::attention_columns(shape)))),
          bytes(everything ? rows : tile(rows), product(layers, gate_up)));
  // A normalised block and what is between the adapters; the MLP's inner activation.
  const Count inner = lora_inner_columns(options.lora), forward = sum(shape.width, inner);
  Count work = forward, mlp_work = shape.ffn;
  if (backward) {
    work = sum(sum(work, inner), sum(sum(shape.qkv_width(), shape.query_width()), product(2, shape.width)));
    mlp_work = product(4, shape.ffn);  // and the gradients of gate, up and the inner activation
  }
  MemoryBytes out;
  out.activations = activations;
  out.workspace = sum(bytes(rows, work), bytes(tile(rows), mlp_work));
  out.head =
      sum(product(options.storage.logit, product(std::min(head_rows, options.head_tile_rows),
                                                 std::min(shape.vocabulary, options.head_tile_columns))),
          bytes(head_rows, product(backward ? 2 : 1, shape.width)));
  if (backward) out.key_sums = bytes(rows, product(2 * detail::key_gradient_parts(rows), shape.kv_width()));
  // Prompts are read before, in the memory that the activations take later.
  const Count piece = std::min(read_rows, options.read_rows_at_once);
  const Count reading =
      sum(bytes(piece, sum(product(2, shape.width), sum(detail::attention_columns(shape), forward))),
          bytes(tile(piece), sum(gate_up, shape.ffn)));
  const Count there = sum(activations, sum(bytes(rows, forward), bytes(tile(rows), shape.ffn)));
  if (reading > there) out.workspace = sum(out.workspace, reading - there);
  out.read_keys = bytes(read_rows, product(shape.layers, product(2, shape.kv_width())));
  return out;
}

// Everything a training step holds at its peak.
constexpr MemoryBytes training_memory(const ModelShape& shape, Count rows, Count head_rows,
                                      const MemoryOptions& options = {}, Count read_rows = 0) {
  MemoryBytes out = activation_memory(shape, rows, head_rows, options, read_rows);
  const MemoryBytes state = state_memory(shape, options);
  out.weights = state.weights;
  out.gradients = state.gradients;
  out.optimiser = state.optimiser;
  return out;
}

}  // namespace solopo::cost
