// Generation with a cache of keys and values. A prompt is read once; its samples share its cache and each has
// a tail of its own, so eight answers cost one reading of the prompt. Several prompts are continued together,
// so that one reading of the weights serves a token of each.
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
    for (std::size_t l = 0; l < weights.layout.layers.size(); ++l) layers_.emplace_back(weights, l);
    cache_.resize(layers_.size());
  }

  // Reads a prompt, forgetting all before it. Throws ArgumentError when it is empty, longer than the model's
  // context, or has a token outside the vocabulary.
  void read_prompt(std::span<const std::int32_t> prompt) {
    check_prompt(prompt);
    clear();
    add_prompt(prompt);
  }

  // Reads one more prompt, to be continued together with those before it; returns its index. Throws as
  // read_prompt().
  std::size_t add_prompt(std::span<const std::int32_t> prompt) {
    check_prompt(prompt);
    prompts_.push_back({.begin = rows_, .length = static_cast<std::int32_t>(prompt.size()), .logits = {}});
    Prompt& p = prompts_.back();
    rows_ += p.length;
    reserve_cache(rows_, p.length);
    constexpr std::int32_t chunk = kernels::read_chunk;
    for (std::int32_t begin = 0; begin < p.length; begin += chunk) {
      const std::int32_t n = std::min(chunk, p.length - begin);
      const kernels::AttentionTile tile{0, n, p.begin, p.begin + begin + n, true};
      run(prompt.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n)), counted(begin, n),
          counted(p.begin + begin, n), {&tile, 1});
      if (begin + n == p.length) head(n - 1, 1, p.logits);
    }
    return prompts_.size() - 1;
  }

  // Forgets all prompts; their memory is kept for the next ones.
  void clear() noexcept {
    prompts_.clear();
    rows_ = 0;
  }

  // Continues the one prompt `samples` times; the cache is left as after read_prompt().
  // Throws ArgumentError when not exactly one prompt was read or an option is out of range.
  std::vector<Generated> generate(const GenerateOptions& options) {
    return generate_all({&options, 1}).front();
  }

  // Continues every prompt, each by its own options, one token of all at a time: the weights are read once
  // for all. Up to kernels::skinny_rows samples together, each is the same bit by bit as without the others.
  // Throws ArgumentError when there are no prompts or not as many options, or one is out of range.
  std::vector<std::vector<Generated>> generate_all(std::span<const GenerateOptions> options) {
    check_options(options);
    std::vector<std::vector<Generated>> results(prompts_.size());
    std::vector<Continuation> active = continuations(options);
    std::vector<float> logits;
    const auto vocabulary = static_cast<std::size_t>(weights_.config.vocab_size);
    for (std::size_t p = 0; p < prompts_.size(); ++p)
      results[p].resize(static_cast<std::size_t>(options[p].samples));
    for (std::int32_t step = 0; !active.empty(); ++step) {
      if (step > 0) continue_all(results, active, step, logits);
      std::vector<Continuation> still;
      for (std::size_t i = 0; i < active.size(); ++i) {
        Continuation& c = active[i];
        const GenerateOptions& o = options[c.prompt];
        const float* z = step == 0 ? prompts_[c.prompt].logits.data() : logits.data() + i * vocabulary;
        Generated& g = results[c.prompt][static_cast<std::size_t>(c.sample)];
        const std::int32_t token = draw(z, o.temperature, c.random);
        g.logp += z[token] - kernels::log_sum_exp_row(kernels::CpuTeam{}, z, weights_.config.vocab_size);
        g.stopped = std::find(o.stop_tokens.begin(), o.stop_tokens.end(), token) != o.stop_tokens.end();
        if (g.stopped) continue;
        g.tokens.push_back(token);
        if (o.on_token && !o.on_token(c.sample, token)) return results;
        if (step + 1 < c.longest) still.push_back(c);
      }
      active = std::move(still);
    }
    return results;
  }

  // Summed log-probability of a response to a prompt [nats]; the cache is left as it was.
  // Throws ArgumentError when there is no such prompt, or the response is empty or does not fit the context.
  double response_logp(std::span<const std::int32_t> response, std::size_t prompt = 0) {
    const LlamaConfig& c = weights_.config;
    if (prompt >= prompts_.size()) throw ArgumentError("response_logp", "no such prompt was read");
    const Prompt& p = prompts_[prompt];
    if (response.empty()) throw ArgumentError("response", "is empty");
    check_tokens("response", response);
    const auto rows = static_cast<std::int32_t>(response.size()) - 1;
    if (p.length + rows > c.max_position_embeddings)
      throw ArgumentError("response", "does not fit the model's context after the prompt");
    const auto logp = [&](const float* z, std::int32_t token) {
      return double(z[token]) - kernels::log_sum_exp_row(kernels::CpuTeam{}, z, c.vocab_size);
    };
    double sum = logp(p.logits.data(), response[0]);
    if (rows == 0) return sum;
    reserve_cache(rows_ + rows, p.length + rows);
    const kernels::AttentionTile tiles[] = {{0, rows, p.begin, p.begin + p.length, false},
                                            {0, rows, rows_, rows_ + rows, true}};
    run(response.first(static_cast<std::size_t>(rows)), counted(p.length, rows), counted(rows_, rows), tiles);
    std::vector<float> logits;
    head(0, rows, logits);
    for (std::int32_t i = 0; i < rows; ++i)
      sum += logp(logits.data() + std::size_t(i) * static_cast<std::size_t>(c.vocab_size),
                  response[static_cast<std::size_t>(i) + 1]);
    return sum;
  }

  // Logits (V) of the token after a prompt; empty where no such prompt was read.
  [[nodiscard]] std::span<const float> prompt_logits(std::size_t prompt = 0) const noexcept {
    return prompt < prompts_.size() ? std::span<const float>(prompts_[prompt].logits)
                                    : std::span<const float>();
  }

 private:
  using Layer = LlamaLayer<float, kernels::DefaultProduct>;

  // Rows [begin, begin + length) of the cache hold its keys and values.
  struct Prompt {
    std::int32_t begin, length;
    std::vector<float> logits;  // (V) of the token after it
  };

  // One sample being written; its tokens' keys and values go to the rows of the cache from `tail` on.
  struct Continuation {
    std::size_t prompt;
    std::int32_t sample, tail, longest;
    RandomStream random;
  };

  void check_prompt(std::span<const std::int32_t> prompt) const {
    const std::int32_t context = weights_.config.max_position_embeddings;
    if (prompt.empty()) throw ArgumentError("prompt", "is empty");
    if (prompt.size() > static_cast<std::size_t>(context))
      throw ArgumentError("prompt", "has " + std::to_string(prompt.size()) +
                                        " tokens, the model's context is " + std::to_string(context));
    check_tokens("prompt", prompt);
  }

  void check_options(std::span<const GenerateOptions> options) const {
    if (prompts_.empty()) throw ArgumentError("generate", "no prompt was read");
    if (options.size() != prompts_.size())
      throw ArgumentError("options", "are " + std::to_string(options.size()) + " where " +
                                         std::to_string(prompts_.size()) + " prompts were read");
    for (const GenerateOptions& o : options) {
      if (o.samples < 1) throw ArgumentError("samples", "must be at least 1");
      if (o.max_new_tokens < 1) throw ArgumentError("max_new_tokens", "must be at least 1");
      if (!(o.temperature >= 0) || !std::isfinite(o.temperature))
        throw ArgumentError("temperature", "must be finite and not negative");
    }
  }

  // All samples before their first token, in order; makes room for them.
  std::vector<Continuation> continuations(std::span<const GenerateOptions> options) {
    std::vector<Continuation> out;
    std::int32_t tail = rows_, last_position = 0;
    for (std::size_t p = 0; p < prompts_.size(); ++p) {
      const GenerateOptions& o = options[p];
      const std::int32_t length = prompts_[p].length;
      const std::int32_t room = weights_.config.max_position_embeddings - length;  // that can still be read
      const std::int32_t longest = std::min(o.max_new_tokens, room + 1);
      last_position = std::max(last_position, length + longest);
      for (std::int32_t s = 0; s < o.samples; ++s, tail += longest) {
        out.push_back({p, s, tail, longest,
                       RandomStream(o.seed, "generate", mix_bits(o.stream) + static_cast<std::uint64_t>(s))});
      }
    }
    reserve_cache(tail, last_position);
    return out;
  }

  void check_tokens(const char* name, std::span<const std::int32_t> tokens) const {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (tokens[i] < 0 || tokens[i] >= weights_.config.vocab_size)
        throw ArgumentError(name, i,
                            std::to_string(tokens[i]) + " is not in a vocabulary of " +
                                std::to_string(weights_.config.vocab_size));
  }

  // Room for so many rows, keeping what they hold, and for so many positions.
  void reserve_cache(std::int32_t rows, std::int32_t positions) {
    const std::size_t elements =
        static_cast<std::size_t>(rows) * 2 * static_cast<std::size_t>(weights_.config.kv_width());
    for (auto& layer : cache_)
      if (layer.size() < elements) layer.resize(elements);
    const std::int32_t longest = std::min(positions, weights_.config.max_position_embeddings);
    if (rotary_.positions() < longest)
      rotary_ = {std::max(longest, 512), weights_.config.head_dim, weights_.config.rope_theta};
  }

  // first, first + 1, ... of n: positions, or rows of the cache.
  static std::vector<std::int32_t> counted(std::int32_t first, std::int32_t n) {
    std::vector<std::int32_t> p(static_cast<std::size_t>(n));
    for (std::int32_t i = 0; i < n; ++i) p[static_cast<std::size_t>(i)] = first + i;
    return p;
  }

  // Runs `tokens` through all layers: keys and values go to `cache_rows`, tiles are over the rows of this run
  // and the rows of the cache. The last layer's output is left in state_.
  void run(std::span<const std::int32_t> tokens, const std::vector<std::int32_t>& at,
           const std::vector<std::int32_t>& rows_of_cache, std::span<const kernels::AttentionTile> tiles) {
    const LlamaConfig& c = weights_.config;
    const auto n = static_cast<std::int32_t>(tokens.size());
    const std::ptrdiff_t width = 2 * std::ptrdiff_t(c.kv_width());
    state_.prepare(c, n, KeepActivations::none);
    embed(weights_, tokens, state_.input(0));
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const auto a = state_.layer(l);
      const auto cache =
          dense(cache_[l].data(), static_cast<std::ptrdiff_t>(cache_[l].size()) / width, width);
      layers_[l].activate_cached(a, state_.scratch(), at, tiles, rotary_, cache, rows_of_cache);
      layers_[l].project_down(a, state_.scratch(), state_.input(l + 1));
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
  void continue_all(const std::vector<std::vector<Generated>>& results,
                    const std::vector<Continuation>& active, std::int32_t step, std::vector<float>& logits) {
    const auto n = static_cast<std::int32_t>(active.size());
    std::vector<std::int32_t> tokens, at, rows;
    std::vector<kernels::AttentionTile> tiles;
    for (std::int32_t i = 0; i < n; ++i) {
      const Continuation& c = active[static_cast<std::size_t>(i)];
      const Prompt& p = prompts_[c.prompt];
      tokens.push_back(results[c.prompt][static_cast<std::size_t>(c.sample)].tokens.back());
      at.push_back(p.length + step - 1);
      rows.push_back(c.tail + step - 1);
      // Samples of one prompt stand together and read its rows in one tile.
      if (i > 0 && active[static_cast<std::size_t>(i) - 1].prompt == c.prompt)
        tiles.back().q_end = i + 1;
      else
        tiles.push_back({i, i + 1, p.begin, p.begin + p.length, false});
    }
    for (std::int32_t i = 0; i < n; ++i) {
      const std::int32_t tail = active[static_cast<std::size_t>(i)].tail;
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
  std::vector<Prompt> prompts_;
  std::int32_t rows_ = 0;  // of the cache that the prompts hold
};

}  // namespace solopo
