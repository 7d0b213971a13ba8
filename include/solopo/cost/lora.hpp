// Low-rank adapters (arXiv 2106.09685): linear maps stay frozen, and a pair of thin matrices beside each is
// trained. Frozen maps cost 4 operations a weight and token, not 6, since their gradients are not needed.
#pragma once

#include <algorithm>

#include "solopo/cost/count.hpp"
#include "solopo/cost/model_shape.hpp"

namespace solopo::cost {

// A set of a layer's linear maps.
enum class Projections : unsigned {
  none = 0,
  q = 1,
  k = 2,
  v = 4,
  o = 8,
  gate = 16,
  up = 32,
  down = 64,
  attention = q | k | v | o,
  mlp = gate | up | down,
  all = attention | mlp
};
constexpr Projections operator|(Projections a, Projections b) noexcept {
  return static_cast<Projections>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr Projections operator&(Projections a, Projections b) noexcept {
  return static_cast<Projections>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr bool has_any(Projections set, Projections maps) noexcept {
  return (set & maps) != Projections::none;
}

struct Lora {
  Count rank = 0;  // 0: no adapters, every weight is trained
  Projections targets = Projections::all;
};

namespace lora_detail {

// rank times the sum of size(in, out) over the adapted maps in `among`.
template <class F>
constexpr Count ranked(const ModelShape& s, const Lora& lora, Projections among, F&& size) {
  Count edges = 0;
  const auto add = [&](Projections map, Count in, Count out) {
    if (has_any(lora.targets & among, map)) edges = sum(edges, size(in, out));
  };
  add(Projections::q, s.width, s.query_width());
  add(Projections::k, s.width, s.kv_width());
  add(Projections::v, s.width, s.kv_width());
  add(Projections::o, s.query_width(), s.width);
  add(Projections::gate, s.width, s.ffn);
  add(Projections::up, s.width, s.ffn);
  add(Projections::down, s.ffn, s.width);
  return product(require_count("rank", lora.rank), edges);
}

}  // namespace lora_detail

// The weights of one layer's adapters on the maps in `among`: rank (in + out) each.
constexpr Count lora_layer_weights(const ModelShape& shape, const Lora& lora,
                                   Projections among = Projections::all) {
  return lora_detail::ranked(shape, lora, among, [](Count in, Count out) { return sum(in, out); });
}

// Of these, the weights of the matrices that read a map's input, rank in each.
constexpr Count lora_layer_inner_weights(const ModelShape& shape, const Lora& lora,
                                         Projections among = Projections::all) {
  return lora_detail::ranked(shape, lora, among, [](Count in, Count) { return in; });
}

// The adapters' weights in all layers.
constexpr Count lora_weights(const ModelShape& shape, const Lora& lora) {
  return product(shape.layers, lora_layer_weights(shape, lora));
}

// The widest inner activation of maps that read the same rows: rank for each of q, k and v, or of gate and
// up.
constexpr Count lora_inner_columns(const Lora& lora) {
  const auto maps = [&](auto... each) { return (Count(0) + ... + Count(has_any(lora.targets, each))); };
  using enum Projections;
  return product(require_count("rank", lora.rank),
                 std::max({maps(q, k, v), maps(o), maps(gate, up), maps(down)}));
}

}  // namespace solopo::cost
