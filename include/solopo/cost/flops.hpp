// Floating-point operations from work and shape. A multiplication and an addition are two; what is not a
// matrix product (norms, rotations, the softmax's exponentials, the optimiser) is not counted: it is bound by
// memory, not by arithmetic. Doubles, exact for whole numbers up to 2^53 = 9.0e15.
//   forward   2 P_l T each layer + 4 d_q S each layer + 2 V d M
//   training  6 P_l T            + 14 d_q S           + 6 V d M
// Frozen weights with adapters of E weights a layer (lora.hpp) train at 4 P_l T + 6 E T and 4 V d M.
// The 14 of attention: 4 forward; in the backward the scores again (2), and the gradients of probabilities,
// queries, keys and values (2 each).
#pragma once

#include "solopo/cost/lora.hpp"
#include "solopo/cost/model_shape.hpp"
#include "solopo/cost/scheme.hpp"
#include "solopo/cost/work.hpp"

namespace solopo::cost {

struct Flops {
  double linear = 0;     // the layers' projections and MLPs
  double attention = 0;  // scores and weighted sums
  double head = 0;       // hidden states to logits

  [[nodiscard]] constexpr double total() const noexcept { return linear + attention + head; }
  friend constexpr Flops operator+(const Flops& a, const Flops& b) noexcept {
    return {a.linear + b.linear, a.attention + b.attention, a.head + b.head};
  }
  friend constexpr Flops operator*(double n, const Flops& a) noexcept {
    return {n * a.linear, n * a.attention, n * a.head};
  }
  constexpr Flops& operator+=(const Flops& other) noexcept { return *this = *this + other; }
  friend constexpr bool operator==(const Flops&, const Flops&) = default;
};

namespace flops_detail {

// Multiply-adds: linear weight applications and d_q-wide pairs of all layers, and head weight applications.
// A row that the last layer skips still needs that layer's keys and values there.
constexpr Flops multiply_adds(const ModelShape& shape, const Work& work) {
  const auto real = [](Count n) { return static_cast<double>(n); };
  const double key_value = 2 * real(product(shape.width, shape.kv_width()));
  const double per_layer = real(shape.layer_weights()), width = real(shape.query_width());
  return {.linear = per_layer * real(shape.layers) * real(work.tokens) -
                    (per_layer - key_value) * real(work.last_layer_skipped_tokens),
          .attention = width * (real(shape.layers) * real(work.pairs) - real(work.last_layer_skipped_pairs)),
          .head = real(product(shape.vocabulary, shape.width)) * real(work.head_rows)};
}

// Those of the adapters in all layers.
constexpr double adapter_multiply_adds(const ModelShape& shape, const Work& work, const Lora& lora) {
  const Count layer = lora_layer_weights(shape, lora),
              key_value = lora_layer_weights(shape, lora, Projections::k | Projections::v);
  return static_cast<double>(layer) * static_cast<double>(shape.layers) * static_cast<double>(work.tokens) -
         static_cast<double>(layer - key_value) * static_cast<double>(work.last_layer_skipped_tokens);
}

}  // namespace flops_detail

// One pass that gives log-probabilities.
constexpr Flops forward_flops(const ModelShape& shape, const Work& work, const Lora& lora = {}) {
  const Flops n = flops_detail::multiply_adds(require_shape(shape), work);
  return {2 * (n.linear + flops_detail::adapter_multiply_adds(shape, work, lora)), 4 * n.attention,
          2 * n.head};
}

// The backward of that pass: the gradient of every weight, or where they are frozen of the adapters' only.
constexpr Flops backward_flops(const ModelShape& shape, const Work& work, const Lora& lora = {}) {
  const Flops n = flops_detail::multiply_adds(require_shape(shape), work);
  const double products = lora.rank > 0 ? 2 : 4;
  return {products * n.linear + 4 * flops_detail::adapter_multiply_adds(shape, work, lora), 10 * n.attention,
          products * n.head};
}

// What the backward computes again instead of keeping it.
enum class Recompute {
  none,
  // Layers from their kept inputs, but not their last product: its result is the next layer's kept input, and
  // no gradient reads it. What solopo does.
  layers_but_down,
  layers  // all of every layer: the usual formula, and what frameworks do that run a layer as a whole again
};

constexpr Flops recompute_flops(const ModelShape& shape, const Work& work,
                                Recompute recompute = Recompute::layers_but_down, const Lora& lora = {}) {
  if (recompute == Recompute::none) return {};
  Flops flops = forward_flops(shape, work, lora);
  flops.head = 0;
  if (recompute == Recompute::layers_but_down) {
    // The last layer's rows that were skipped had no down projection.
    const double applied = static_cast<double>(product(shape.layers, work.tokens)) -
                           static_cast<double>(work.last_layer_skipped_tokens);
    const Count down =
        sum(product(shape.width, shape.ffn), lora_layer_weights(shape, lora, Projections::down));
    flops.linear -= 2 * static_cast<double>(down) * applied;
  }
  return flops;
}

// The adapters' inner activations x A^T again in the backward instead of kept.
constexpr Flops inner_recompute_flops(const ModelShape& shape, const Work& work, const Lora& lora) {
  const Count layer = lora_layer_inner_weights(shape, lora),
              key_value = lora_layer_inner_weights(shape, lora, Projections::k | Projections::v);
  return {.linear = 2 * static_cast<double>(product(shape.layers, layer)) * static_cast<double>(work.tokens) -
                    2 * static_cast<double>(layer - key_value) *
                        static_cast<double>(work.last_layer_skipped_tokens)};
}

// Forward and backward without anything computed twice.
constexpr Flops train_flops(const ModelShape& shape, const Work& work, const Lora& lora = {}) {
  return forward_flops(shape, work, lora) + backward_flops(shape, work, lora);
}

// What model FLOP utilisation counts: attention 12 a pair, not 14, since recomputing scores is no progress.
constexpr Flops model_flops(const ModelShape& shape, const Work& work, const Lora& lora = {}) {
  Flops flops = train_flops(shape, work, lora);
  flops.attention = flops.attention / 14 * 12;
  return flops;
}

// Where the reference's log-probabilities come from.
enum class Reference {
  none,       // the objective reads none
  cached,     // computed once before training
  every_step  // computed beside the policy, as most systems do
};

struct TrainingOptions {
  Recompute recompute = Recompute::none;
  bool recompute_logits = false;  // the head's product again in the backward instead of kept logits
  Reference reference = Reference::none;
  double epochs = 1;             // over which a cached reference is spread
  Lora lora{};                   // rank 0: every weight is trained
  bool recompute_inner = false;  // the adapters' inner activations again in the backward instead of kept
  bool coupled = false;   // each record is scored before it is differentiated, with the others of its batch
  bool compares = false;  // logits of the reference too, forward and backward: Statistic::sequential_kl
};

// One record, trained once.
constexpr Flops record_flops(const ModelShape& shape, const RecordWork& work,
                             const TrainingOptions& options = {}) {
  const Work& rows = work.differentiated;
  const Lora& lora = options.lora;
  Flops flops = train_flops(shape, rows, lora) + forward_flops(shape, work.read, lora);
  flops += recompute_flops(shape, rows, options.recompute, lora);
  if (options.recompute_logits) flops.head += forward_flops(shape, rows).head;
  if (options.recompute_inner) flops += inner_recompute_flops(shape, rows, lora);
  if (options.coupled) flops += forward_flops(shape, work.scored, lora);
  if (options.compares) flops.head += 2 * forward_flops(shape, rows).head;
  if (options.reference != Reference::none) {
    const double times = options.reference == Reference::cached ? 1 / options.epochs : 1;
    flops += times * forward_flops(shape, work.scored);
  }
  return flops;
}

}  // namespace solopo::cost
