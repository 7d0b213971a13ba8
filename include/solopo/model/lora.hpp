// Low-rank adapters (LoRA, arXiv 2106.09685) beside the linear maps of a llama-family model: y = W x becomes
// y = W x + alpha / r B A x. W stays as it is; the thin matrices A (r, in) and B (out, r) are trained.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <locale>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/random.hpp"
#include "solopo/cost/lora.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/model/llama_config.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/tensor_layout.hpp"

namespace solopo {

using cost::Projections;

struct NamedProjection {
  Projections projection;
  const char* name;  // Hugging Face's
};
inline constexpr std::array<NamedProjection, 7> projection_names = {{{Projections::q, "q_proj"},
                                                                     {Projections::k, "k_proj"},
                                                                     {Projections::v, "v_proj"},
                                                                     {Projections::o, "o_proj"},
                                                                     {Projections::gate, "gate_proj"},
                                                                     {Projections::up, "up_proj"},
                                                                     {Projections::down, "down_proj"}}};

struct LoraConfig {
  std::int32_t rank = 8;
  double alpha = 16;
  Projections targets = Projections::all;  // the maps that have an adapter, in every layer

  // What the adapters' output is multiplied by.
  [[nodiscard]] double scale() const noexcept { return alpha / rank; }
  friend bool operator==(const LoraConfig&, const LoraConfig&) = default;
};

// The files of PEFT's folders (lora_files.hpp).
inline constexpr const char* adapter_config_name = "adapter_config.json";
inline constexpr const char* adapter_weights_name = "adapter_model.safetensors";

inline constexpr std::int32_t max_lora_rank = 1 << 16;  // the widest model that is read at all

// Throws ArgumentError naming the field.
inline void check_lora_config(const LoraConfig& config) {
  if (config.rank < 1 || config.rank > max_lora_rank)
    throw ArgumentError(
        "rank", std::to_string(config.rank) + " is not between 1 and " + std::to_string(max_lora_rank));
  if (!(config.alpha > 0) || !std::isfinite(config.alpha))
    throw ArgumentError("alpha", "must be finite and above 0");
  if (!has_any(config.targets, Projections::all)) throw ArgumentError("targets", "name no map");
}

// "rank 8, alpha 16 on q_proj v_proj": what makes two runs' adapters the same ones.
[[nodiscard]] inline std::string describe(const LoraConfig& config) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << "rank " << config.rank << ", alpha " << config.alpha << " on";
  for (const NamedProjection& p : projection_names)
    if (has_any(config.targets, p.projection)) out << ' ' << p.name;
  return out.str();
}

// The adapters' tensors, under the names of Hugging Face's PEFT. Maps that read the same rows (q, k, v; gate,
// up) have their As one below the other: one product applies them.
class LoraLayout : public TensorLayout {
 public:
  // The adapter of one map.
  struct Adapter {
    std::size_t a = 0, b = 0;                // offsets of A (r, in) and B (out, r)
    std::ptrdiff_t column = 0, columns = 0;  // of the map's output in that of its group; columns = out
  };
  // One decoder layer's, by group; a map without an adapter is not in it.
  struct Layer {
    std::vector<Adapter> qkv, output, gate_up, down;
  };

  LoraLayout() = default;
  // Throws ArgumentError for a configuration that cannot be.
  LoraLayout(const LlamaConfig& model, const LoraConfig& config) {
    check_lora_config(config);
    using enum Projections;
    const std::int32_t width = model.hidden_size, ffn = model.intermediate_size, dq = model.query_width(),
                       dkv = model.kv_width();
    for (std::int32_t i = 0; i < model.num_hidden_layers; ++i) {
      const std::string prefix = "base_model.model.model.layers." + std::to_string(i) + ".",
                        attention = prefix + "self_attn.", mlp = prefix + "mlp.";
      layers.push_back(
          {.qkv = add_group(config, width,
                            {{q, attention + "q_proj", dq},
                             {k, attention + "k_proj", dkv},
                             {v, attention + "v_proj", dkv}}),
           .output = add_group(config, dq, {{o, attention + "o_proj", width}}),
           .gate_up = add_group(config, width, {{gate, mlp + "gate_proj", ffn}, {up, mlp + "up_proj", ffn}}),
           .down = add_group(config, ffn, {{down, mlp + "down_proj", width}})});
    }
  }

  std::vector<Layer> layers;

  // Whether this is the layout of such adapters beside such a model. Throws as the constructor.
  [[nodiscard]] bool fits(const LlamaConfig& model, const LoraConfig& config) const {
    if (size() == 0) return false;
    const LoraLayout expected(model, config);
    return std::equal(slots().begin(), slots().end(), expected.slots().begin(), expected.slots().end());
  }

 private:
  struct Map {
    Projections projection;
    std::string name;
    std::int32_t columns;
  };

  std::vector<Adapter> add_group(const LoraConfig& config, std::int32_t in, std::initializer_list<Map> maps) {
    std::vector<Adapter> out;
    std::vector<const std::string*> names;
    std::ptrdiff_t column = 0;
    for (const Map& map : maps) {
      if (has_any(config.targets, map.projection)) {
        const std::size_t a = add(map.name + ".lora_A.weight", {config.rank, in}, !out.empty());
        out.push_back({.a = a, .column = column, .columns = map.columns});
        names.push_back(&map.name);
      }
      column += map.columns;
    }
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i].b = add(*names[i] + ".lora_B.weight", {out[i].columns, config.rank});
    return out;
  }
};

template <class T>
struct LoraWeights {
  LoraConfig config;
  LoraLayout layout;
  kernels::AlignedVector<T> data;  // (layout.size())

  LoraWeights() = default;
  // All zero: the model as it is, but with no gradient to leave it. Throws as LoraLayout.
  LoraWeights(const LlamaConfig& model, const LoraConfig& c)
      : config(c), layout(model, c), data(layout.size(), T(0)) {}

  // Whether these are adapters of such a model.
  [[nodiscard]] bool fit(const LlamaConfig& model) const {
    return data.size() == layout.size() && layout.fits(model, config);
  }
};

// The start of training, as PEFT's: each A uniform in +-1 / sqrt(in), each B zero, so that the adapted model
// is the model. Throws as LoraLayout.
template <class T>
[[nodiscard]] LoraWeights<T> initial_lora(const LlamaConfig& model, const LoraConfig& config,
                                          std::uint64_t seed) {
  LoraWeights<T> out(model, config);
  std::uint64_t index = 0;
  for (const TensorSlot& slot : out.layout.slots()) {
    if (!slot.name.ends_with(".lora_A.weight")) continue;
    RandomStream random(seed, "lora", index++);
    const double bound = 1 / std::sqrt(static_cast<double>(slot.shape[1]));
    for (T& x : std::span(out.data).subspan(slot.offset, slot.size))
      x = static_cast<T>(bound * (2 * random.uniform() - 1));
  }
  return out;
}

namespace lora_detail {

// W (columns, in) += scale B A for the adapters of one group, whose first row of W is `weight`.
template <class T>
void merge_group(T* weight, std::ptrdiff_t in, const LoraWeights<T>& lora,
                 std::span<const LoraLayout::Adapter> group) {
  const std::ptrdiff_t rank = lora.config.rank;
  const T scale = static_cast<T>(lora.config.scale());
  for (const LoraLayout::Adapter& adapter : group) {
    const T *a = lora.data.data() + adapter.a, *b = lora.data.data() + adapter.b;
    kernels::parallel_ranges(adapter.columns, 16, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      std::vector<T> row(static_cast<std::size_t>(in));
      for (std::ptrdiff_t i = begin; i < end; ++i) {
        std::fill(row.begin(), row.end(), T(0));
        for (std::ptrdiff_t k = 0; k < rank; ++k)
          for (std::ptrdiff_t j = 0; j < in; ++j)
            row[static_cast<std::size_t>(j)] += b[i * rank + k] * a[k * in + j];
        T* const w = weight + (adapter.column + i) * in;
        for (std::ptrdiff_t j = 0; j < in; ++j) w[j] += scale * row[static_cast<std::size_t>(j)];
      }
    });
  }
}

}  // namespace lora_detail

// Adds the adapters into the weights: the same model, to rounding, without adapters. Throws ArgumentError
// when they are another model's.
template <class T>
void merge(LlamaWeights<T>& weights, const LoraWeights<T>& lora) {
  const LlamaConfig& c = weights.config;
  if (!lora.fit(c)) throw ArgumentError("lora", "the adapters are not of a model of this shape");
  T* const w = weights.data.data();
  for (std::size_t i = 0; i < lora.layout.layers.size(); ++i) {
    const LlamaLayout::Layer& at = weights.layout.layers[i];
    const LoraLayout::Layer& adapters = lora.layout.layers[i];
    lora_detail::merge_group<T>(w + at.qkv, c.hidden_size, lora, adapters.qkv);
    lora_detail::merge_group<T>(w + at.output, c.query_width(), lora, adapters.output);
    lora_detail::merge_group<T>(w + at.gate_up, c.hidden_size, lora, adapters.gate_up);
    lora_detail::merge_group<T>(w + at.down, c.intermediate_size, lora, adapters.down);
  }
}

}  // namespace solopo
