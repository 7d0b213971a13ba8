// Low-rank adapters (arXiv 2106.09685): linear maps stay frozen, and a pair of thin matrices beside each is
// trained. Frozen maps cost 4 operations a weight and token, not 6, since their gradients are not needed.
#pragma once

#include "solopo/cost/count.hpp"
#include "solopo/cost/model_shape.hpp"

namespace solopo::cost {

struct Lora {
  Count rank = 0;                     // 0: no adapters, every weight is trained
  bool attention = true, mlp = true;  // adapters on q, k, v and o; on gate, up and down
};

// The adapters' weights in all layers: rank (in + out) for each adapted map.
constexpr Count lora_weights(const ModelShape& shape, const Lora& lora) {
  Count edges = 0;
  if (lora.attention)  // q, k, v read the stream, o writes it
    edges = sum(product(4, shape.width), sum(product(2, shape.query_width()), product(2, shape.kv_width())));
  if (lora.mlp) edges = sum(edges, product(3, sum(shape.width, shape.ffn)));
  return product(product(shape.layers, require_count("rank", lora.rank)), edges);
}

}  // namespace solopo::cost
