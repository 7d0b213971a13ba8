// Generation on the CPU; see basic_decoder.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/kernels/attention.hpp"
#include "solopo/model/basic_decoder.hpp"
#include "solopo/model/llama_layer.hpp"
#include "solopo/model/llama_run_state.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo {

template <class Product = kernels::DefaultProduct>
class CpuDecoderEngine {
 public:
  // Keeps a reference to `weights`.
  explicit CpuDecoderEngine(const LlamaWeights<float>& weights) : weights_(weights) {
    for (std::size_t l = 0; l < weights.layout.layers.size(); ++l) layers_.emplace_back(weights, l);
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
    kernels::project<Product>(MatrixView<const float>(rows),
                              dense(weights_.data.data() + weights_.layout.head, c.vocab_size, c.hidden_size),
                              0.0f, dense(logits.data(), n, c.vocab_size));
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

  const LlamaWeights<float>& weights_;
  std::vector<Layer> layers_;
  std::vector<kernels::AlignedVector<float>> cache_;  // a layer each: (rows, [k | v])
  kernels::RotaryTable<float> rotary_;
  LlamaRunState<float> state_;
  std::vector<float> logits_;  // workspace
};

// Decoder(weights) keeps a reference to LlamaWeights<float>. Up to kernels::skinny_rows samples together,
// each is the same bit by bit as without the others.
using Decoder = BasicDecoder<CpuDecoderEngine<>>;

}  // namespace solopo
