// Generation with a cache of keys and values, for any engine that runs the model. A prompt is read once; its
// samples share its cache and each has a tail of its own, so eight answers cost one reading of the prompt.
// Several prompts are continued together, so that one reading of the weights serves a token of each.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/random.hpp"
#include "solopo/kernels/aligned_vector.hpp"
#include "solopo/kernels/attention_tile.hpp"
#include "solopo/kernels/parallel.hpp"
#include "solopo/kernels/softmax.hpp"
#include "solopo/kernels/team.hpp"
#include "solopo/model/llama_config.hpp"

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

// A token and its log-probability [nats] at temperature 1.
struct ChosenToken {
  std::int32_t token;
  float logp;
};

// Log-probability [nats] of a token under the logits z (n).
[[nodiscard]] inline double token_logp(const float* z, std::int32_t n, std::int32_t token) {
  kernels::ExpSum<float> sum;
  kernels::add_exp_row(kernels::CpuTeam{}, z, n, sum);
  return double(z[token]) - sum.log();
}

// The token of the largest of the logits z (n), the smallest id on a tie.
[[nodiscard]] inline std::int32_t greedy_token(const float* z, std::int32_t n) {
  return static_cast<std::int32_t>(std::max_element(z, z + n) - z);
}

// Rows that one pass runs: tokens at positions, whose keys and values go to the rows `places` of the cache;
// the tiles' keys are rows of the cache.
struct DecoderRows {
  std::vector<std::int32_t> tokens, positions, places;  // (n) each
  std::vector<kernels::AttentionTile> tiles;
};

// What runs the model for BasicDecoder.
template <class E>
concept DecoderEngine = requires(E engine, std::int32_t n, const DecoderRows& rows, std::vector<float>& z,
                                 std::span<const std::int32_t> targets) {
  // Rows of a prompt that are run at once.
  { engine.read_chunk() } -> std::same_as<std::int32_t>;
  { engine.config() } -> std::same_as<const LlamaConfig&>;
  // Room for n rows of the cache, keeping what they hold, and for positions [0, n).
  engine.reserve(n, n);
  engine.run(rows);
  // Of the last run: logits (n, V) of rows [first, first + n) into z; the greedy token after each of the
  // first n rows; log-probabilities [nats] of targets[i] after row i.
  engine.logits(n, n, z);
  { engine.greedy(n) } -> std::same_as<std::vector<ChosenToken>>;
  { engine.logps(targets) } -> std::same_as<std::vector<double>>;
};

template <DecoderEngine Engine>
class BasicDecoder {
 public:
  // The arguments are the engine's.
  template <class... Args>
  requires std::constructible_from<Engine, Args...>
  explicit BasicDecoder(Args&&... args) : engine_(std::forward<Args>(args)...) {}

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
    Prompt p{.begin = rows_, .length = static_cast<std::int32_t>(prompt.size()), .logits = {}};
    engine_.reserve(rows_ + p.length, p.length);
    const std::int32_t chunk = engine_.read_chunk();
    for (std::int32_t begin = 0; begin < p.length; begin += chunk) {
      const std::int32_t n = std::min(chunk, p.length - begin);
      const auto tokens = prompt.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n));
      engine_.run({{tokens.begin(), tokens.end()},
                   counted(begin, n),
                   counted(p.begin + begin, n),
                   {{0, n, p.begin, p.begin + begin + n, true}}});
      if (begin + n == p.length) engine_.logits(n - 1, 1, p.logits);
    }
    rows_ += p.length;
    prompts_.push_back(std::move(p));
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
  // for all.
  // Throws ArgumentError when there are no prompts or not as many options, or one is out of range.
  std::vector<std::vector<Generated>> generate_all(std::span<const GenerateOptions> options) {
    check_options(options);
    std::vector<std::vector<Generated>> results(prompts_.size());
    for (std::size_t p = 0; p < prompts_.size(); ++p)
      results[p].resize(static_cast<std::size_t>(options[p].samples));
    std::vector<Continuation> active = continuations(options);
    for (std::int32_t step = 0; !active.empty(); ++step) {
      if (step > 0) engine_.run(last_tokens(results, active, step));
      const std::vector<ChosenToken> chosen = choose(options, active, step);
      std::vector<Continuation> still;
      for (std::size_t i = 0; i < active.size(); ++i) {
        const Continuation& c = active[i];
        const GenerateOptions& o = options[c.prompt];
        Generated& g = results[c.prompt][static_cast<std::size_t>(c.sample)];
        const std::int32_t token = chosen[i].token;
        g.logp += chosen[i].logp;
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
    if (prompt >= prompts_.size()) throw ArgumentError("response_logp", "no such prompt was read");
    const Prompt& p = prompts_[prompt];
    if (response.empty()) throw ArgumentError("response", "is empty");
    check_tokens("response", response);
    const auto rows = static_cast<std::int32_t>(response.size()) - 1;
    if (p.length + rows > config().max_position_embeddings)
      throw ArgumentError("response", "does not fit the model's context after the prompt");
    double sum = token_logp(p.logits.data(), config().vocab_size, response[0]);
    if (rows == 0) return sum;
    engine_.reserve(rows_ + rows, p.length + rows);
    engine_.run({{response.begin(), response.end() - 1},
                 counted(p.length, rows),
                 counted(rows_, rows),
                 {{0, rows, p.begin, p.begin + p.length, false}, {0, rows, rows_, rows_ + rows, true}}});
    for (const double logp : engine_.logps(response.subspan(1))) sum += logp;
    return sum;
  }

  // Logits (V) of the token after a prompt; empty where no such prompt was read.
  [[nodiscard]] std::span<const float> prompt_logits(std::size_t prompt = 0) const noexcept {
    return prompt < prompts_.size() ? std::span<const float>(prompts_[prompt].logits)
                                    : std::span<const float>();
  }

 private:
  [[nodiscard]] const LlamaConfig& config() const noexcept { return engine_.config(); }

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
    const std::int32_t context = config().max_position_embeddings;
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
      const std::int32_t room = config().max_position_embeddings - length;  // that can still be read
      const std::int32_t longest = std::min(o.max_new_tokens, room + 1);
      last_position = std::max(last_position, length + longest);
      for (std::int32_t s = 0; s < o.samples; ++s, tail += longest) {
        out.push_back({p, s, tail, longest,
                       RandomStream(o.seed, "generate", mix_bits(o.stream) + static_cast<std::uint64_t>(s))});
      }
    }
    engine_.reserve(tail, last_position);
    return out;
  }

  void check_tokens(const char* name, std::span<const std::int32_t> tokens) const {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (tokens[i] < 0 || tokens[i] >= config().vocab_size)
        throw ArgumentError(
            name, i,
            std::to_string(tokens[i]) + " is not in a vocabulary of " + std::to_string(config().vocab_size));
  }

  // first, first + 1, ... of n: positions, or rows of the cache.
  static std::vector<std::int32_t> counted(std::int32_t first, std::int32_t n) {
    std::vector<std::int32_t> p(static_cast<std::size_t>(n));
    for (std::int32_t i = 0; i < n; ++i) p[static_cast<std::size_t>(i)] = first + i;
    return p;
  }

  // The last token of each active sample, to be read.
  [[nodiscard]] DecoderRows last_tokens(const std::vector<std::vector<Generated>>& results,
                                        const std::vector<Continuation>& active, std::int32_t step) const {
    const auto n = static_cast<std::int32_t>(active.size());
    DecoderRows rows;
    for (std::int32_t i = 0; i < n; ++i) {
      const Continuation& c = active[static_cast<std::size_t>(i)];
      const Prompt& p = prompts_[c.prompt];
      rows.tokens.push_back(results[c.prompt][static_cast<std::size_t>(c.sample)].tokens.back());
      rows.positions.push_back(p.length + step - 1);
      rows.places.push_back(c.tail + step - 1);
      // Samples of one prompt stand together and read its rows in one tile.
      if (i > 0 && active[static_cast<std::size_t>(i) - 1].prompt == c.prompt)
        rows.tiles.back().q_end = i + 1;
      else
        rows.tiles.push_back({i, i + 1, p.begin, p.begin + p.length, false});
    }
    for (std::int32_t i = 0; i < n; ++i) {
      const std::int32_t tail = active[static_cast<std::size_t>(i)].tail;
      rows.tiles.push_back({i, i + 1, tail, tail + step, false});
    }
    return rows;
  }

  // The next token of each active sample: after its prompt in step 0, else after its row of the last run.
  std::vector<ChosenToken> choose(std::span<const GenerateOptions> options, std::vector<Continuation>& active,
                                  std::int32_t step) {
    const auto n = static_cast<std::int32_t>(active.size());
    const auto greedy = [&](const Continuation& c) { return options[c.prompt].temperature == 0; };
    if (step > 0 && std::all_of(active.begin(), active.end(), greedy)) return engine_.greedy(n);
    if (step > 0) engine_.logits(0, n, logits_);
    std::vector<ChosenToken> chosen(active.size());
    kernels::parallel_for(n, [&](std::ptrdiff_t sample) {
      const auto i = static_cast<std::size_t>(sample);
      Continuation& c = active[i];
      const std::int32_t vocab = config().vocab_size;
      const float* z =
          step == 0 ? prompts_[c.prompt].logits.data() : logits_.data() + i * static_cast<std::size_t>(vocab);
      const std::int32_t token = draw(z, options[c.prompt].temperature, c.random);
      chosen[i] = {token, static_cast<float>(token_logp(z, vocab, token))};
    });
    return chosen;
  }

  [[nodiscard]] std::int32_t draw(const float* z, double temperature, RandomStream& random) const {
    const std::int32_t vocab = config().vocab_size, best = greedy_token(z, vocab);
    if (temperature == 0) return best;
    const double inverse = 1 / temperature, top = z[best];
    static thread_local kernels::AlignedVector<float> weight;
    kernels::resize_discarding(weight, static_cast<std::size_t>(vocab));
    kernels::CpuTeam{}.each(vocab, [&, w = weight.data()](int i) {
      w[i] = kernels::fast_exp(static_cast<float>((z[i] - top) * inverse));
    });
    double sum = 0;
    for (const float w : weight) sum += w;
    double left = random.uniform() * sum;
    for (std::int32_t i = 0; i < vocab; ++i) {
      left -= weight[static_cast<std::size_t>(i)];
      if (left < 0) return i;
    }
    return best;  // rounding left a crumb
  }

  Engine engine_;
  std::vector<Prompt> prompts_;
  std::int32_t rows_ = 0;      // of the cache that the prompts hold
  std::vector<float> logits_;  // (active, V)
};

}  // namespace solopo
