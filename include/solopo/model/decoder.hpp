// Generation on the CPU; see basic_decoder.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/kernels/attention.hpp"
#include "solopo/kernels/bf16_product.hpp"
#include "solopo/model/basic_decoder.hpp"
#include "solopo/model/llama_layer.hpp"
#include "solopo/model/llama_run_state.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo {

template <class Product = kernels::DefaultProduct>
class CpuDecoderEngine {
 public:
  // Keeps a reference to `weights`, and where Product rounds a copy of them in bfloat16: they must not
  // change.
  explicit CpuDecoderEngine(const LlamaWeights<float>& weights)
      : weights_(weights), rounded_(kernels::rounded_for<Product>(weights.data)) {
    for (std::size_t l = 0; l < weights.layout.layers.size(); ++l)
      layers_.emplace_back(weights, l, nullptr, rounded_.empty() ? nullptr : rounded_.data());
    cache_.resize(layers_.size());
  }

  [[nodiscard]] const LlamaConfig& config() const noexcept { return weights_.config; }

  // Of all these, see DecoderEngine.
  [[nodiscard]] std::int32_t read_chunk() const noexcept { return kernels::read_chunk; }

  void reserve(std::int32_t rows, std::int32_t positions) {
    const std::size_t elements =
        static_cast<std::size_t>(rows) * 2 * static_cast<std::size_t>(config().kv_width());
    for (auto& layer : cache_)
      if (layer.size() < elements) layer.resize(elements);
    const std::int32_t longest = std::min(positions, config().max_position_embeddings);
    if (rotary_.positions() < longest)
      rotary_ = {std::max(longest, 512), config().head_dim, config().rope_theta};
  }

  void run(const DecoderRows& rows) {
    const std::ptrdiff_t width = 2 * std::ptrdiff_t(config().kv_width());
    state_.prepare(config(), static_cast<std::int32_t>(rows.tokens.size()), KeepActivations::none);
    embed(weights_, std::span<const std::int32_t>(rows.tokens), state_.input(0));
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const auto a = state_.layer(l);
      const auto cache =
          dense(cache_[l].data(), static_cast<std::ptrdiff_t>(cache_[l].size()) / width, width);
      layers_[l].attend_cached(a, state_.scratch(), rows.positions, rows.tiles, rotary_, cache, rows.places);
      layers_[l].run_mlp(a, state_.scratch(), state_.input(l + 1));
    }
  }

  void logits(std::int32_t first, std::int32_t n, std::vector<float>& logits) {
    const LlamaConfig& c = config();
    const MatrixView<float> output = state_.input(layers_.size());
    kernels::AlignedVector<float> normed(static_cast<std::size_t>(n) *
                                         static_cast<std::size_t>(c.hidden_size));
    const auto rows = dense(normed.data(), n, c.hidden_size);
    for (std::int32_t i = 0; i < n; ++i)
      kernels::rms_norm_row(kernels::CpuTeam{}, static_cast<const float*>(output.row(first + i)),
                            weights_.data.data() + weights_.layout.final_norm, rows.row(i), c.hidden_size,
                            static_cast<float>(c.rms_norm_eps));
    logits.resize(static_cast<std::size_t>(n) * static_cast<std::size_t>(c.vocab_size));
    const auto to = dense(logits.data(), n, c.vocab_size);
    if constexpr (kernels::ProjectsRounded<Product>)
      if (!rounded_.empty()) return Product::project(rows, head_of(rounded_), 0.0f, to);
    kernels::project<Product>(MatrixView<const float>(rows), head_of(weights_.data), 0.0f, to);
  }

  [[nodiscard]] std::vector<ChosenToken> greedy(std::int32_t n) {
    logits(0, n, logits_);
    std::vector<ChosenToken> out;
    for (std::int32_t i = 0; i < n; ++i) {
      const std::int32_t token = greedy_token(row(i), config().vocab_size);
      out.push_back({token, static_cast<float>(token_logp(row(i), config().vocab_size, token))});
    }
    return out;
  }

  [[nodiscard]] std::vector<double> logps(std::span<const std::int32_t> targets) {
    const auto n = static_cast<std::int32_t>(targets.size());
    logits(0, n, logits_);
    std::vector<double> out;
    out.reserve(targets.size());
    for (std::int32_t i = 0; i < n; ++i)
      out.push_back(token_logp(row(i), config().vocab_size, targets[static_cast<std::size_t>(i)]));
    return out;
  }

 private:
  using Layer = LlamaLayer<float, Product>;

  [[nodiscard]] const float* row(std::int32_t i) const noexcept {
    return logits_.data() + std::size_t(i) * static_cast<std::size_t>(config().vocab_size);
  }

  template <class W>
  [[nodiscard]] MatrixView<const W> head_of(const kernels::AlignedVector<W>& weights) const noexcept {
    return dense(weights.data() + weights_.layout.head, config().vocab_size, config().hidden_size);
  }

  const LlamaWeights<float>& weights_;
  kernels::AlignedVector<BFloat16> rounded_;  // all of them, or none
  std::vector<Layer> layers_;
  std::vector<kernels::AlignedVector<float>> cache_;  // a layer each: (rows, [k | v])
  kernels::RotaryTable<float> rotary_;
  LlamaRunState<float> state_;
  std::vector<float> logits_;  // workspace
};

// Decoder(weights) keeps a reference to LlamaWeights<float>. Up to kernels::skinny_rows samples together,
// each is the same bit by bit as without the others; with kernels::NativeBf16Product any number (seen of
// oneDNN 2.6 with AMX).
using Decoder = BasicDecoder<CpuDecoderEngine<>>;

}  // namespace solopo
