// A llama-family decoder: log-probabilities of responses, and the gradient of any weighted sum of them. This
// is all a preference objective needs from a model: one number a response down, one number a response back
// up.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/kernels/lm_head.hpp"
#include "solopo/model/check_batch.hpp"
#include "solopo/model/computed_rows.hpp"
#include "solopo/model/llama_layer.hpp"
#include "solopo/model/llama_run_state.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"
#include "solopo/model/packed_sequences.hpp"
#include "solopo/model/work_count.hpp"

namespace solopo {

struct LlamaOptions {
  // Keep only each layer's input, C numbers a row, and run the layer again in the backward: one more forward
  // pass.
  bool recompute = false;
  // How many rows the MLP works on at once, 0: all. Fewer hold less of its wide arrays: gate and up, the
  // activation between them and down, and their gradients; with `recompute` most of a layer's workspace. A
  // weight's gradient is then a sum over parts of the rows, in another order than without.
  std::int32_t mlp_rows = 0;
};

template <class T, class Product = kernels::DefaultProduct>
class Llama {
 public:
  // Keeps a reference: `weights` may be changed between calls, and must live as long as this.
  explicit Llama(const LlamaWeights<T>& weights, LlamaOptions options = {})
      : Llama(weights, nullptr, options) {}

  // The model with adapters beside its maps: the weights are frozen, and gradients are the adapters'. Keeps
  // references to both. Throws ArgumentError when the adapters are another model's.
  Llama(const LlamaWeights<T>& weights, const LoraWeights<T>& lora, LlamaOptions options = {})
      : Llama(weights, &lora, options) {}

  // Summed log-probability of each response [nats], (responses). With a statistic, statistics() has that too.
  // Throws ArgumentError for a token outside the vocabulary, a sequence longer than the model's context, and
  // a reference of other rows or another vocabulary.
  std::vector<T> response_logps(const PackedSequences& batch,
                                const kernels::RowStatistic<T>& statistic = {}) {
    kept_ = nullptr;
    return run(batch, KeepActivations::none, statistic);
  }

  // The same numbers, bit for bit, keeping what backward() needs. `batch`, and the statistic's reference,
  // must stay alive until then.
  std::vector<T> forward(const PackedSequences& batch, const kernels::RowStatistic<T>& statistic = {}) {
    kept_ = nullptr;
    auto logps =
        run(batch, options_.recompute ? KeepActivations::layer_inputs : KeepActivations::all, statistic);
    kept_ = &batch;
    return logps;
  }

  // Reads the batch's read prompts. Every pass begins with it; after a call of its own the next pass over
  // this batch takes these keys and values, also where the weights have changed since.
  void read(const PackedSequences& batch) {
    check(batch);
    kept_ = nullptr;
    read_prompts(batch);
    already_read_ = &batch;
  }

  // The statistic of each response in the last pass, summed over its tokens, (responses); zeros of none.
  [[nodiscard]] std::span<const T> statistics() const noexcept { return statistics_; }

  // The rows that the last pass scored, in the order of its targets, and the head. Valid until the next pass.
  [[nodiscard]] kernels::HeadRows<T> head_rows() const noexcept {
    const std::ptrdiff_t width = weights_.config.hidden_size;
    return {dense<const T>(head_rows_.data(), static_cast<std::ptrdiff_t>(head_rows_.size()) / width, width),
            head_weight()};
  }

  // Adds d(sum_r dlogps[r] * logp[r] + dstatistics[r] * statistic[r]) / d weights, or / d adapters where the
  // model has some, into `gradients` (the size of their layout), after forward(). dstatistics may stay empty:
  // zeros.
  // Throws ArgumentError when the sizes are wrong or no forward() went before.
  void backward(std::span<const T> dlogps, std::span<T> gradients, std::span<const T> dstatistics = {}) {
    if (kept_ == nullptr) throw ArgumentError("backward", "no forward() went before");
    const PackedSequences& batch = *kept_;
    const LlamaConfig& c = weights_.config;
    check_size("dlogps", dlogps.size(), static_cast<std::size_t>(batch.responses));
    check_size("gradients", gradients.size(), lora_ ? lora_->layout.size() : weights_.layout.size());
    if (!dstatistics.empty())
      check_size("dstatistics", dstatistics.size(), static_cast<std::size_t>(batch.responses));
    const auto rows = static_cast<std::ptrdiff_t>(batch.tokens.size());
    const std::size_t targets = batch.targets.size(), width = static_cast<std::size_t>(c.hidden_size);

    // Head. dlogp of a response is that of each of its tokens.
    std::vector<T> coefficients(targets), by_statistic(statistic_.any() ? targets : 0);
    for (std::size_t i = 0; i < targets; ++i) {
      const auto response = static_cast<std::size_t>(batch.targets[i].response);
      coefficients[i] = dlogps[response];
      if (!by_statistic.empty() && !dstatistics.empty()) by_statistic[i] = dstatistics[response];
    }
    const auto head_shape = static_cast<std::ptrdiff_t>(targets);
    kernels::resize_discarding(dhead_, targets * width);
    const auto dnormed = dense(dhead_.data(), head_shape, c.hidden_size);
    kernels::lm_head_backward<T, Product>(
        dense<const T>(head_rows_.data(), head_shape, c.hidden_size), head_weight(), head_tokens_,
        coefficients, head_lse_, dnormed,
        dense(lora_ ? nullptr : gradients.data() + weights_.layout.head, c.vocab_size, c.hidden_size),
        logits_, statistic_, row_statistics_, by_statistic);
    // Final norm, at the rows that were scored; every other row's gradient begins at zero.
    kernels::resize_discarding(dstream_, static_cast<std::size_t>(rows) * width);
    std::fill(dstream_.begin(), dstream_.end(), T(0));
    const auto dstream = dense(dstream_.data(), rows, c.hidden_size);
    const MatrixView<T> output = state_.input(layers_.size());
    const T* norm_weight = weights_.data.data() + weights_.layout.final_norm;
    const kernels::CpuTeam team;
    for (std::size_t i = 0; i < targets; ++i) {
      const auto row = static_cast<std::ptrdiff_t>(batch.targets[i].row);
      const T *x = output.row(row), *dy = dnormed.row(static_cast<std::ptrdiff_t>(i));
      const T s = kernels::rms_norm_row_backward(team, x, norm_weight, dy, dstream.row(row), c.hidden_size,
                                                 static_cast<T>(c.rms_norm_eps));
      if (lora_) continue;
      T* dnorm = gradients.data() + weights_.layout.final_norm;
      team.each(c.hidden_size, [&](int j) { dnorm[j] += dy[j] * x[j] * s; });
    }

    workspace_.prepare(c, rows, inner_columns(), state_.mlp_rows());
    for (std::size_t l = layers_.size(); l-- > 0;) {
      const auto activations = state_.layer(l);
      const bool last = l + 1 == layers_.size();
      if (options_.recompute) attend(l, activations, batch);
      const auto back = [&](const auto& computed) {
        layers_[l].backward(activations, state_.scratch(), workspace_, batch.positions, computed, rotary_,
                            read_of(l), dstream, gradients.data());
      };
      if (last) {
        back(scored_);
      } else {
        back(batch.tiles);
      }
    }

    const cost::Work done = work_of(batch, scored_);
    work_.backward += done;
    // lm_head_backward computes the logits again.
    cost::Work again = done;
    if (!options_.recompute) again = {.head_rows = done.head_rows};
    work_.recomputed += again;

    if (lora_) return;
    T* dembedding = gradients.data() + weights_.layout.embedding;
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
      T* to = dembedding + static_cast<std::size_t>(batch.tokens[static_cast<std::size_t>(r)]) * width;
      const T* from = dstream.row(r);
      team.each(c.hidden_size, [&](int j) { to[j] += from[j]; });
    }
  }

  // Logits (V) of the row after the last token of a lone sequence.
  std::vector<T> last_logits(std::span<const std::int32_t> tokens) {
    PackedSequences batch;
    const std::int32_t none[] = {0};
    batch.append(tokens, none);
    kept_ = nullptr;
    run(batch, KeepActivations::none, {});
    const LlamaConfig& c = weights_.config;
    std::vector<T> logits(static_cast<std::size_t>(c.vocab_size));
    Product::template gemm<T>(false, true, 1, c.vocab_size, c.hidden_size, T(1), head_rows_.data(),
                              c.hidden_size, head_weight().data, c.hidden_size, T(0), logits.data(),
                              c.vocab_size);
    return logits;
  }

  [[nodiscard]] const LlamaWeights<T>& weights() const noexcept { return weights_; }
  // The adapters; null without.
  [[nodiscard]] const LoraWeights<T>* lora() const noexcept { return lora_; }

  // What the calls so far have computed.
  [[nodiscard]] const WorkCount& work() const noexcept { return work_; }

  // Bytes of activations and workspace held now (they only grow); weights and gradients are the caller's.
  [[nodiscard]] std::size_t peak_bytes() const noexcept {
    return state_.bytes() +
           sizeof(T) * (workspace_.arena.capacity() + dstream_.capacity() + read_.capacity() +
                        logits_.capacity() + head_rows_.capacity() + dhead_.capacity());
  }

 private:
  Llama(const LlamaWeights<T>& weights, const LoraWeights<T>* lora, LlamaOptions options)
      : weights_(weights), lora_(lora), options_(options) {
    if (lora && !lora->fit(weights.config))
      throw ArgumentError("lora", "the adapters are not of a model of this shape");
    for (std::size_t l = 0; l < weights.layout.layers.size(); ++l) layers_.emplace_back(weights, l, lora);
  }

  static void check_size(const char* name, std::size_t actual, std::size_t expected) {
    if (actual != expected)
      throw ArgumentError(
          name, "has " + std::to_string(actual) + " elements, expected " + std::to_string(expected));
  }

  [[nodiscard]] MatrixView<const T> head_weight() const noexcept {
    return dense<const T>(weights_.data.data() + weights_.layout.head, weights_.config.vocab_size,
                          weights_.config.hidden_size);
  }

  void check(const PackedSequences& batch) {
    const std::int32_t longest = check_batch(weights_.config, batch);
    if (rotary_.positions() < longest)
      rotary_ = {std::max(longest, 512), weights_.config.head_dim, weights_.config.rope_theta};
  }

  void check(const PackedSequences& batch, const kernels::RowStatistic<T>& statistic) const {
    if (!statistic.compares()) return;
    const kernels::HeadRows<T>& r = statistic.reference;
    if (r.hidden.rows != static_cast<std::ptrdiff_t>(batch.targets.size()) ||
        r.weight.rows != weights_.config.vocab_size || r.hidden.columns != r.weight.columns)
      throw ArgumentError("reference", "has " + std::to_string(r.hidden.rows) + " rows and a vocabulary of " +
                                           std::to_string(r.weight.rows) + ", expected " +
                                           std::to_string(batch.targets.size()) + " and " +
                                           std::to_string(weights_.config.vocab_size) +
                                           "; run the reference model on the same batch first");
  }

  // Columns of workspace that the adapters take.
  [[nodiscard]] std::ptrdiff_t inner_columns() const {
    return lora_ ? static_cast<std::ptrdiff_t>(cost::lora_inner_columns(
                       {.rank = lora_->config.rank, .targets = lora_->config.targets}))
                 : 0;
  }

  // Keys and values (K, 2 d_kv) of a layer's read prompts.
  [[nodiscard]] MatrixView<T> read_cache(std::size_t layer) noexcept {
    const std::ptrdiff_t width = 2 * std::ptrdiff_t(weights_.config.kv_width());
    return dense(read_.data() + layer * static_cast<std::size_t>(read_rows_ * width), read_rows_, width);
  }
  [[nodiscard]] kernels::KeyValues<T> read_of(std::size_t layer) noexcept {
    if (read_rows_ == 0) return {};
    return layers_[layer].keys_of(read_cache(layer));
  }

  // Prompts in pieces, each through all layers: beside keys and values the memory is one piece's, of one
  // layer.
  void read_prompts(const PackedSequences& batch) {
    const LlamaConfig& c = weights_.config;
    read_rows_ = static_cast<std::ptrdiff_t>(batch.read_tokens.size());
    const std::size_t width = 2 * static_cast<std::size_t>(c.kv_width());
    kernels::resize_discarding(read_, layers_.size() * batch.read_tokens.size() * width);
    std::int32_t begin = 0;
    for (const std::int32_t end : batch.read_ends) {
      for (std::int32_t first = begin; first < end; first += kernels::read_chunk)
        read_piece(batch.read_tokens, begin, first, std::min(end, first + kernels::read_chunk));
      begin = end;
    }
    work_.forward += read_work_of(batch);
  }

  // Rows [first, last) of the prompt that begins at `begin`.
  void read_piece(std::span<const std::int32_t> tokens, std::int32_t begin, std::int32_t first,
                  std::int32_t last) {
    const std::int32_t rows = last - first;
    const kernels::AttentionTile tile[] = {{0, rows, begin, last, true}};
    std::vector<std::int32_t> positions(static_cast<std::size_t>(rows)), places(positions.size());
    std::iota(positions.begin(), positions.end(), first - begin);
    std::iota(places.begin(), places.end(), first);
    state_.prepare(weights_.config, rows, KeepActivations::none, inner_columns(), options_.mlp_rows);
    embed(weights_, tokens.subspan(static_cast<std::size_t>(first), positions.size()), state_.input(0));
    for (std::size_t l = 0; l + 1 < layers_.size(); ++l) {
      const auto a = state_.layer(l);
      layers_[l].attend_cached(a, state_.scratch(), positions, tile, rotary_, read_cache(l), places);
      layers_[l].run_mlp(a, state_.scratch(), state_.input(l + 1));
    }
    // Nothing reads the last layer's output.
    const std::size_t last_layer = layers_.size() - 1;
    const auto a = state_.layer(last_layer);
    layers_[last_layer].project_keys(a, state_.scratch(), positions, rotary_);
    layers_[last_layer].store_keys(a, read_cache(last_layer), places);
  }

  // A layer up to its MLP; the last one for the rows that are scored.
  void attend(std::size_t l, const typename LlamaRunState<T>::Layer& activations,
              const PackedSequences& batch) {
    if (l + 1 < layers_.size()) {
      layers_[l].attend(activations, state_.scratch(), batch.positions, batch.tiles, rotary_, read_of(l));
    } else {
      layers_[l].attend(activations, state_.scratch(), batch.positions, scored_, rotary_, read_of(l));
    }
  }

  std::vector<T> run(const PackedSequences& batch, KeepActivations keep,
                     const kernels::RowStatistic<T>& statistic) {
    check(batch);
    check(batch, statistic);
    statistic_ = statistic;
    if (already_read_ != &batch) read_prompts(batch);
    already_read_ = nullptr;
    const LlamaConfig& c = weights_.config;
    const auto rows = static_cast<std::int32_t>(batch.tokens.size());
    const auto width = static_cast<std::size_t>(c.hidden_size);
    state_.prepare(c, rows, keep, inner_columns(), options_.mlp_rows);
    embed(weights_, batch.tokens, state_.input(0));
    scored_ = scored_rows(batch);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const auto activations = state_.layer(l);
      attend(l, activations, batch);
      if (l + 1 < layers_.size()) {
        layers_[l].run_mlp(activations, state_.scratch(), state_.input(l + 1));
      } else {
        layers_[l].run_mlp(activations, state_.scratch(), scored_, state_.input(l + 1));
      }
    }

    const std::size_t targets = batch.targets.size();
    kernels::resize_discarding(head_rows_, targets * width);
    head_tokens_.resize(targets);
    head_lse_.resize(kernels::log_sum_exp_size(targets, statistic_));
    row_statistics_.resize(statistic_.any() ? targets : 0);
    const MatrixView<T> output = state_.input(layers_.size());
    for (std::size_t i = 0; i < targets; ++i) {
      kernels::rms_norm_row(kernels::CpuTeam{}, static_cast<const T*>(output.row(batch.targets[i].row)),
                            weights_.data.data() + weights_.layout.final_norm, head_rows_.data() + i * width,
                            c.hidden_size, static_cast<T>(c.rms_norm_eps));
      head_tokens_[i] = batch.targets[i].token;
    }
    std::vector<T> token_logps(targets);
    kernels::lm_head_forward<T, Product>(
        dense<const T>(head_rows_.data(), static_cast<std::ptrdiff_t>(targets), c.hidden_size), head_weight(),
        head_tokens_, token_logps, head_lse_, logits_, statistic_, row_statistics_);
    std::vector<T> logps(static_cast<std::size_t>(batch.responses), T(0));
    statistics_.assign(logps.size(), T(0));
    for (std::size_t i = 0; i < targets; ++i) {
      const auto response = static_cast<std::size_t>(batch.targets[i].response);
      logps[response] += token_logps[i];
      if (statistic_.any()) statistics_[response] += row_statistics_[i];
    }
    work_.forward += work_of(batch, scored_);
    return logps;
  }

  const LlamaWeights<T>& weights_;
  const LoraWeights<T>* lora_;
  LlamaOptions options_;
  std::vector<LlamaLayer<T, Product>> layers_;
  kernels::RotaryTable<T> rotary_;
  LlamaRunState<T> state_;
  ComputedRows scored_;  // of the last pass
  typename LlamaLayer<T, Product>::BackwardWorkspace workspace_;
  kernels::AlignedVector<T> read_;       // (layers, K, 2 d_kv) keys and values of read prompts
  std::ptrdiff_t read_rows_ = 0;         // K
  kernels::AlignedVector<T> dstream_;    // (S, C)
  kernels::AlignedVector<T> head_rows_;  // (M, C) normalised rows that are scored
  kernels::AlignedVector<T> dhead_;      // (M, C)
  kernels::AlignedVector<T> head_lse_;   // (M), or two of them
  kernels::AlignedVector<T> logits_;     // a tile, or two of them
  kernels::RowStatistic<T> statistic_;   // asked for in the last pass
  std::vector<T> row_statistics_;        // (M), or empty
  std::vector<T> statistics_;            // (responses)
  std::vector<std::int32_t> head_tokens_;
  WorkCount work_;
  const PackedSequences* kept_ = nullptr;
  const PackedSequences* already_read_ = nullptr;
};

}  // namespace solopo
