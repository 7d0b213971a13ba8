// The shape of a llama-family decoder as far as its cost depends on it, and the weights that follow from it.
#pragma once

#include <string>

#include "solopo/core/error.hpp"
#include "solopo/cost/count.hpp"

namespace solopo::cost {

struct ModelShape {
  Count width = 0;  // d, of the residual stream
  Count layers = 0;
  Count heads = 0, kv_heads = 0, head_dim = 0;
  Count ffn = 0;  // inner width of the gated MLP
  Count vocabulary = 0;
  bool tied_head = false;       // the head is the embedding: one matrix, one gradient
  bool attention_bias = false;  // q, k and v have biases (qwen2)

  [[nodiscard]] constexpr Count query_width() const { return product(heads, head_dim); }  // d_q
  [[nodiscard]] constexpr Count kv_width() const { return product(kv_heads, head_dim); }  // d_kv
  // Columns of q, k and v together.
  [[nodiscard]] constexpr Count qkv_width() const { return sum(query_width(), product(2, kv_width())); }

  // Weights of one layer's linear maps, P_l = d (d_q + 2 d_kv) + d_q d + 3 d f: each costs one multiplication
  // and one addition a token. Norms and biases, which cost nearly nothing, are not in it.
  [[nodiscard]] constexpr Count layer_weights() const {
    return sum(sum(product(width, qkv_width()), product(query_width(), width)),
               product(3, product(width, ffn)));
  }

  // Every weight of the model: embedding, layers with norms and biases, final norm, head.
  [[nodiscard]] constexpr Count weights() const {
    const Count layer = sum(sum(layer_weights(), product(2, width)), attention_bias ? qkv_width() : Count(0));
    return sum(sum(product(layers, layer), width), product(tied_head ? 1 : 2, product(vocabulary, width)));
  }

  friend constexpr bool operator==(const ModelShape&, const ModelShape&) = default;
};

// The shape itself. Throws ArgumentError naming the first member that no model can have.
constexpr const ModelShape& require_shape(const ModelShape& shape) {
  const auto positive = [](const char* name, Count value) {
    if (value < 1) throw ArgumentError(name, std::to_string(value) + " must be 1 or more");
  };
  positive("width", shape.width);
  positive("layers", shape.layers);
  positive("heads", shape.heads);
  positive("kv_heads", shape.kv_heads);
  positive("head_dim", shape.head_dim);
  positive("ffn", shape.ffn);
  positive("vocabulary", shape.vocabulary);
  if (shape.heads % shape.kv_heads != 0)
    throw ArgumentError("kv_heads", std::to_string(shape.kv_heads) + " does not divide " +
                                        std::to_string(shape.heads) + " heads");
  return shape;
}

}  // namespace solopo::cost
