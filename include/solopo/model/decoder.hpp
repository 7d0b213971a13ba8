// Generation with a cache of keys and values. The prompt is read once; samples share its cache and each has a
// tail of its own, so eight answers cost one reading of the prompt.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/random.hpp"
#include "solopo/kernels/softmax.hpp"
#include "solopo/model/llama_layer.hpp"
#include "solopo/model/llama_run_state.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo {

struct GenerateOptions {
  std::int32_t max_new_tokens = 32;
  double temperature = 0;  // 0: greedy, the smallest id on a tie
  std::int32_t samples = 1;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  // e.g. the question's number: draws do not depend on what else is generated
  std::vector<std::int32_t> stop_tokens = {};
  // Called with (sample, token) as each token is drawn, stop tokens excluded; returning false ends
  // everything.
  std::function<bool(std::int32_t, std::int32_t)> on_token = {};
};

struct Generated {
  std::vector<std::int32_t> tokens;  // without the stop token
  bool stopped = false;              // by a stop token; else max_new_tokens or the model's context ended it
  double logp = 0;  // summed log-probability of tokens and stop token [nats], at temperature 1
};

class Decoder {
 public:
  // Keeps a reference to `weights`.
  explicit Decoder(const LlamaWeights<float>& weights) : weights_(weights) {
    for (const LlamaLayout::Layer& offsets : weights.layout.layers)
      layers_.emplace_back(weights.config, offsets, weights.data.data());
    cache_.resize(layers_.size());
  }

  // Reads a prompt, forgetting any before it. Throws ArgumentError when it is empty, longer than the model's
  // context, or has a token outside the vocabulary.
  void read_prompt(std::span<const std::int32_t> prompt) {
    const LlamaConfig& c = weights_.config;
    if (prompt.empty()) throw ArgumentError("prompt", "is empty");
    if (prompt.size() > static_cast<std::size_t>(c.max_position_embeddings))
      throw ArgumentError("prompt", "has " + std::to_string(prompt.size()) +
                                        " tokens, the model's context is " +
                                        std::to_string(c.max_position_embeddings));
    check_tokens("prompt", prompt);
    prompt_length_ = static_cast<std::int32_t>(prompt.size());
    reserve_cache(prompt_length_, 0);
    constexpr std::int32_t chunk = 512;  // bounds activations; long enough for the products to be efficient
    for (std::int32_t begin = 0; begin < prompt_length_; begin += chunk) {
      const std::int32_t n = std::min(chunk, prompt_length_ - begin);
      const kernels::AttentionTile tile{0, n, 0, begin + n, true};
      run(prompt.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n)), positions(begin, n),
          cache_rows(begin, n), {&tile, 1});
      if (begin + n == prompt_length_) head(n - 1, 1, prompt_logits_);
    }
  }

  // Continues the prompt `samples` times; the cache is left as after read_prompt().
  // Throws ArgumentError when no prompt was read or an option is out of range.
  std::vector<Generated> generate(const GenerateOptions& options) {
    const LlamaConfig& c = weights_.config;
    if (prompt_length_ == 0) throw ArgumentError("generate", "no prompt was read");
    if (options.samples < 1) throw ArgumentError("samples", "must be at least 1");
    if (options.max_new_tokens < 1) throw ArgumentError("max_new_tokens", "must be at least 1");
    if (!(options.temperature >= 0) || !std::isfinite(options.temperature))
      throw ArgumentError("temperature", "must be finite and not negative");
    const std::int32_t room = c.max_position_embeddings - prompt_length_;  // tokens that can still be read
    const std::int32_t longest = std::min(options.max_new_tokens, room + 1);
    reserve_cache(prompt_length_, options.samples * longest);

    std::vector<Generated> results(static_cast<std::size_t>(options.samples));
    std::vector<RandomStream> random;
    random.reserve(results.size());
    for (std::int32_t s = 0; s < options.samples; ++s)
      random.emplace_back(options.seed, "generate", mix_bits(options.stream) + static_cast<std::uint64_t>(s));
    std::vector<std::int32_t> active(results.size());
    for (std::size_t s = 0; s < active.size(); ++s) active[s] = static_cast<std::int32_t>(s);
    std::vector<float> logits;
    for (std::int32_t step = 0; step < longest && !active.empty(); ++step) {
      if (step > 0) continue_samples(results, active, step, longest, logits);
      std::vector<std::int32_t> still;
      for (std::size_t i = 0; i < active.size(); ++i) {
        const std::int32_t s = active[i];
        const float* z =
            step == 0 ? prompt_logits_.data() : logits.data() + i * static_cast<std::size_t>(c.vocab_size);
        Generated& g = results[static_cast<std::size_t>(s)];
        const std::int32_t token = draw(z, options.temperature, random[static_cast<std::size_t>(s)]);
        g.logp += z[token] - kernels::log_sum_exp_row(kernels::CpuTeam{}, z, c.vocab_size);
        g.stopped = std::find(options.stop_tokens.begin(), options.stop_tokens.end(), token) !=
                    options.stop_tokens.end();
        if (g.stopped) continue;
        g.tokens.push_back(token);
        if (options.on_token && !options.on_token(s, token)) return results;
        still.push_back(s);
      }
      active = std::move(still);
    }
    return results;
  }

  // Summed log-probability of a response to the prompt [nats]; the cache is left as after read_prompt().
  // Throws ArgumentError when no prompt was read, or the response is empty or does not fit the context.
  double response_logp(std::span<const std::int32_t> response) {
    const LlamaConfig& c = weights_.config;
    if (prompt_length_ == 0) throw ArgumentError("response_logp", "no prompt was read");
    if (response.empty()) throw ArgumentError("response", "is empty");
    check_tokens("response", response);
    const auto rows = static_cast<std::int32_t>(response.size()) - 1;
    if (prompt_length_ + rows > c.max_position_embeddings)
      throw ArgumentError("response", "does not fit the model's context after the prompt");
    const auto logp = [&](const float* z, std::int32_t token) {
      return double(z[token]) - kernels::log_sum_exp_row(kernels::CpuTeam{}, z, c.vocab_size);
    };
    double sum = logp(prompt_logits_.data(), response[0]);
    if (rows == 0) return sum;
    reserve_cache(prompt_length_, rows);
    const kernels::AttentionTile tile{0, rows, 0, prompt_length_ + rows, true};
    run(response.first(static_cast<std::size_t>(rows)), positions(prompt_length_, rows),
        cache_rows(prompt_length_, rows), {&tile, 1});
    std::vector<float> logits;
    head(0, rows, logits);
    for (std::int32_t i = 0; i < rows; ++i)
      sum += logp(logits.data() + std::size_t(i) * static_cast<std::size_t>(c.vocab_size),
                  response[static_cast<std::size_t>(i) + 1]);
    return sum;
  }

  [[nodiscard]] std::int32_t prompt_length() const noexcept { return prompt_length_; }
  // Logits (V) of the token after the prompt.
  [[nodiscard]] std::span<const float> prompt_logits() const noexcept { return prompt_logits_; }

 private:
  using Layer = LlamaLayer<float, kernels::DefaultProduct>;

  void check_tokens(const char* name, std::span<const std::int32_t> tokens) const {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (tokens[i] < 0 || tokens[i] >= weights_.config.vocab_size)
        throw ArgumentError(name, i,
                            std::to_string(tokens[i]) + " is not in a vocabulary of " +
                                std::to_string(weights_.config.vocab_size));
  }

  // Room for the prompt's rows and `tail` more, keeping the prompt's.
  void reserve_cache(std::int32_t prompt, std::int32_t tail) {
    const std::size_t width = 2 * static_cast<std::size_t>(weights_.config.kv_width());
    const std::size_t elements = static_cast<std::size_t>(prompt + tail) * width;
    for (auto& layer : cache_)
      if (layer.size() < elements) layer.resize(elements);
    const std::int32_t longest = std::min(prompt + tail, weights_.config.max_position_embeddings);
    if (rotary_.positions() < longest)
      rotary_ = {std::max(longest, 512), weights_.config.head_dim, weights_.config.rope_theta};
  }

  static std::vector<std::int32_t> positions(std::int32_t first, std::int32_t n) {
    std::vector<std::int32_t> p(static_cast<std::size_t>(n));
    for (std::int32_t i = 0; i < n; ++i) p[static_cast<std::size_t>(i)] = first + i;
    return p;
  }
  // Rows of the cache a run writes; of the prompt they are its positions.
  static std::vector<std::int32_t> cache_rows(std::int32_t first, std::int32_t n) {
    return positions(first, n);
  }

  // Runs `tokens` through all layers: keys and values go to `cache_rows`, tiles are over the rows of this run
  // and the rows of the cache. The last layer's output is left in state_.
  void run(std::span<const std::int32_t> tokens, const std::vector<std::int32_t>& at,
           const std::vector<std::int32_t>& rows_of_cache, std::span<const kernels::AttentionTile> tiles) {
    const LlamaConfig& c = weights_.config;
    const auto n = static_cast<std::int32_t>(tokens.size());
    const auto width = static_cast<std::size_t>(c.hidden_size);
    state_.prepare(c, n, KeepActivations::none);
    for (std::int32_t i = 0; i < n; ++i)
      std::copy_n(weights_.data.data() + weights_.layout.embedding +
                      static_cast<std::size_t>(tokens[static_cast<std::size_t>(i)]) * width,
                  width, state_.input(0).row(i));
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const Layer& layer = layers_[l];
      const auto a = state_.layer(l);
      layer.project_qkv(a, state_.normed, at, rotary_);
      const auto cached =
          dense(cache_[l].data(), static_cast<std::ptrdiff_t>(cache_[l].size()) / (2 * c.kv_width()),
                2 * c.kv_width());
      for (std::int32_t i = 0; i < n; ++i)
        std::copy_n(a.qkv.row(i) + c.query_width(), 2 * c.kv_width(),
                    cached.row(rows_of_cache[static_cast<std::size_t>(i)]));
      const MatrixView<const float> k{cached.data, cached.rows, c.kv_width(), cached.stride},
          v{cached.data + c.kv_width(), cached.rows, c.kv_width(), cached.stride};
      kernels::attention_forward<float>(layer.shape(), tiles, layer.q_of(a.qkv), k, v, a.attention,
                                        a.log_sum_exp);
      layer.project_gate_up(a, state_.normed);
      layer.project_down(a, state_.hidden, state_.input(l + 1));
    }
  }

  // logits (n, V) of rows first .. first + n of the last run.
  void head(std::int32_t first, std::int32_t n, std::vector<float>& logits) {
    const LlamaConfig& c = weights_.config;
    const MatrixView<float> output = state_.input(layers_.size());
    kernels::AlignedVector<float> normed(static_cast<std::size_t>(n) *
                                         static_cast<std::size_t>(c.hidden_size));
    const auto rows = dense(normed.data(), n, c.hidden_size);
    for (std::int32_t i = 0; i < n; ++i)
      kernels::rms_norm_row(kernels::CpuTeam{}, static_cast<const float*>(output.row(first + i)),
                            weights_.data.data() + weights_.layout.final_norm, rows.row(i), c.hidden_size,
                            static_cast<float>(c.rms_norm_eps));
    logits.resize(static_cast<std::size_t>(n) * static_cast<std::size_t>(c.vocab_size));
    kernels::project<kernels::DefaultProduct>(
        MatrixView<const float>(rows),
        dense(weights_.data.data() + weights_.layout.head, c.vocab_size, c.hidden_size), 0.0f,
        dense(logits.data(), n, c.vocab_size));
  }

  // Reads the last token of each active sample and gives the logits (active, V) of the next.
  void continue_samples(const std::vector<Generated>& results, const std::vector<std::int32_t>& active,
                        std::int32_t step, std::int32_t longest, std::vector<float>& logits) {
    const auto n = static_cast<std::int32_t>(active.size());
    std::vector<std::int32_t> tokens, at, rows;
    std::vector<kernels::AttentionTile> tiles = {{0, n, 0, prompt_length_, false}};
    for (std::int32_t i = 0; i < n; ++i) {
      const std::int32_t s = active[static_cast<std::size_t>(i)];
      const std::int32_t tail = prompt_length_ + s * longest;
      tokens.push_back(results[static_cast<std::size_t>(s)].tokens.back());
      at.push_back(prompt_length_ + step - 1);
      rows.push_back(tail + step - 1);
      tiles.push_back({i, i + 1, tail, tail + step, false});
    }
    run(tokens, at, rows, tiles);
    head(0, n, logits);
  }

  [[nodiscard]] std::int32_t draw(const float* z, double temperature, RandomStream& random) const {
    const std::int32_t vocab = weights_.config.vocab_size;
    const std::int32_t best = static_cast<std::int32_t>(std::max_element(z, z + vocab) - z);
    if (temperature == 0) return best;
    const double inverse = 1 / temperature, top = z[best];
    double sum = 0;
    for (std::int32_t i = 0; i < vocab; ++i)
      sum += kernels::fast_exp(static_cast<float>((z[i] - top) * inverse));
    double left = random.uniform() * sum;
    for (std::int32_t i = 0; i < vocab; ++i) {
      left -= kernels::fast_exp(static_cast<float>((z[i] - top) * inverse));
      if (left < 0) return i;
    }
    return best;  // rounding left a crumb
  }

  const LlamaWeights<float>& weights_;
  std::vector<Layer> layers_;
  std::vector<kernels::AlignedVector<float>> cache_;  // a layer each: (rows, [k | v])
  kernels::RotaryTable<float> rotary_;
  LlamaRunState<float> state_;
  std::vector<float> prompt_logits_;  // (V)
  std::int32_t prompt_length_ = 0;
};

}  // namespace solopo
