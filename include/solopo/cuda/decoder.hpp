// Generation on a device: BasicDecoder of model/basic_decoder.hpp over weights that lie there. Keys and
// values of prompts and samples stay on the device; of a greedy step a token and its log-probability are read
// back, of a sampled one its logits, from which the host draws as it does on the CPU.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/core/response.hpp"
#include "solopo/core/view.hpp"
#include "solopo/cuda/decoder_kernels.hpp"
#include "solopo/cuda/device_attention.hpp"
#include "solopo/cuda/device_rotary.hpp"
#include "solopo/cuda/device_weights.hpp"
#include "solopo/cuda/growing_array.hpp"
#include "solopo/cuda/head_kernels.hpp"
#include "solopo/cuda/row_kernels.hpp"
#include "solopo/cuda/split_attention.hpp"
#include "solopo/model/basic_decoder.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo::cuda {

struct DeviceDecoderOptions {
  // What reads prompts. A library is faster where many have the same length, but makes a plan for each new
  // length, which takes it longer than most prompts.
  AttentionKernels attention = AttentionKernels::tensor;
  // Rows of a prompt run at once, and rows of logits held at once.
  std::int32_t read_chunk = 8192, head_chunk = 1024;
};

// T: float or BFloat16, what activations and the cache are stored in; sums and logits are float32. Beside the
// errors of BasicDecoder there is CudaError.
template <class T, class Queue>
class DeviceDecoderEngine {
 public:
  // Keeps references to both, which must live as long as this. Throws ArgumentError for a chunk below 1.
  DeviceDecoderEngine(Queue& queue, const DeviceWeights<T, Queue>& weights, DeviceDecoderOptions options = {})
      : queue_(queue),
        weights_(weights),
        options_(options),
        attention_(queue, config().num_attention_heads, config().num_key_value_heads, config().head_dim,
                   options.attention),
        split_(queue, config().num_attention_heads, config().num_key_value_heads, config().head_dim),
        cache_(layout().layers.size()) {
    if (options.read_chunk < 1) throw ArgumentError("read_chunk", "must be 1 or more");
    if (options.head_chunk < 1) throw ArgumentError("head_chunk", "must be 1 or more");
  }

  [[nodiscard]] const LlamaConfig& config() const noexcept { return weights_.config(); }

  // Of all these, see DecoderEngine.
  [[nodiscard]] std::int32_t read_chunk() const noexcept { return options_.read_chunk; }

  void reserve(std::int32_t rows, std::int32_t positions) {
    for (auto& layer : cache_)
      layer.grow(queue_, static_cast<std::size_t>(rows) * static_cast<std::size_t>(cache_width()));
    rotary_.reserve(queue_, config(), std::min(positions, config().max_position_embeddings));
  }

  void run(const DecoderRows& rows) {
    prepare(static_cast<std::int32_t>(rows.tokens.size()));
    tokens_.upload(queue_, rows.tokens);
    positions_.upload(queue_, rows.positions);
    places_.upload(queue_, rows.places);
    const bool follow_each_other =
        std::any_of(rows.tiles.begin(), rows.tiles.end(),
                    [](const kernels::AttentionTile& t) { return t.causal && t.q_end - t.q_begin > 1; });
    if (follow_each_other) {
      attention_.set(plan_, {.runs = {{0, rows_}}, .tiles = read_tiles(rows.tiles)}, rows_);
    } else {
      split_.set(rows.tiles, rows_);
    }
    const auto width = static_cast<int>(config().hidden_size);
    queue_.launch(rows_, 1, held_threads(width), 0,
                  Embed<T>{dense<const T>(weight(layout().embedding), config().vocab_size, width),
                           tokens_.data(), stream_});
    for (std::size_t l = 0; l < layout().layers.size(); ++l) {
      const LlamaLayout::Layer& o = layout().layers[l];
      norm(stream_, o.input_norm, normed_);
      linear(normed_, o.qkv, qkv_);
      rotate_into_cache(l);
      attend(l, follow_each_other);
      linear(attended_, o.output, middle_, stream_.data);
      norm(middle_, o.mlp_norm, normed_);
      linear(normed_, o.gate_up, gate_up_);
      queue_.launch(rows_, 1, held_threads(hidden_.columns), 0, SwiGlu<T>{gate_up_, hidden_});
      linear(hidden_, o.down, stream_, middle_.data);
    }
  }

  void logits(std::int32_t first, std::int32_t n, std::vector<float>& logits) {
    logits.resize(static_cast<std::size_t>(n) * static_cast<std::size_t>(config().vocab_size));
    head(first, n, [&](std::int32_t begin, std::int32_t rows) {
      const auto vocabulary = static_cast<std::size_t>(config().vocab_size);
      queue_.download(logits.data() + static_cast<std::size_t>(begin) * vocabulary, logits_.data(),
                      static_cast<std::size_t>(rows) * vocabulary);
    });
  }

  [[nodiscard]] std::vector<ChosenToken> greedy(std::int32_t n) {
    chosen_.reserve(queue_, static_cast<std::size_t>(n));
    head(0, n, [&](std::int32_t begin, std::int32_t rows) {
      queue_.launch(rows, 1, 256, 0,
                    ChooseGreedy{logits_.data(), config().vocab_size, chosen_.data() + begin});
    });
    std::vector<ChosenToken> out(static_cast<std::size_t>(n));
    queue_.download(out.data(), chosen_.data(), out.size());
    return out;
  }

  [[nodiscard]] std::vector<double> logps(std::span<const std::int32_t> targets) {
    const std::size_t n = targets.size();
    targets_.upload(queue_, {targets.begin(), targets.end()});
    logps_.reserve(queue_, n);
    lse_.reserve(queue_, n);
    head(0, static_cast<std::int32_t>(n), [&](std::int32_t begin, std::int32_t rows) {
      queue_.launch(rows, 1, 256, 0,
                    LogProbs{{logits_.data(), config().vocab_size, targets_.data() + begin, nullptr,
                              logps_.data() + begin, lse_.data() + begin, Statistic::none, nullptr}});
    });
    std::vector<float> out(n);
    queue_.download(out.data(), logps_.data(), n);
    return {out.begin(), out.end()};
  }

 private:
  [[nodiscard]] const LlamaLayout& layout() const noexcept { return weights_.layout(); }
  [[nodiscard]] const T* weight(std::size_t offset) const noexcept { return weights_.values() + offset; }
  [[nodiscard]] std::ptrdiff_t cache_width() const noexcept {
    return 2 * std::ptrdiff_t(config().kv_width());
  }
  [[nodiscard]] MatrixView<T> cache(std::size_t l) const noexcept {
    const auto rows = static_cast<std::ptrdiff_t>(cache_[l].size()) / cache_width();
    return dense(cache_[l].data(), rows, cache_width());
  }

  // Room for the activations of n rows.
  void prepare(std::int32_t n) {
    const LlamaConfig& c = config();
    rows_ = n;
    const auto room = [&](GrowingArray<T, Queue>& array, std::ptrdiff_t columns) {
      return dense(array.reserve(queue_, static_cast<std::size_t>(n * columns)), n, columns);
    };
    stream_ = room(arrays_[0], c.hidden_size);
    middle_ = room(arrays_[1], c.hidden_size);
    normed_ = room(arrays_[2], c.hidden_size);
    qkv_ = room(arrays_[3], c.qkv_width());
    attended_ = room(arrays_[4], c.query_width());
    gate_up_ = room(arrays_[5], 2 * std::ptrdiff_t(c.intermediate_size));
    hidden_ = room(arrays_[6], c.intermediate_size);
  }

  void norm(MatrixView<T> x, std::size_t offset, MatrixView<T> y) {
    launch_norm<HeldRmsNorm, T>(
        queue_, static_cast<int>(x.rows),
        RmsNorm<T>{x, nullptr, weight(offset), y, static_cast<float>(config().rms_norm_eps)});
  }
  // y (n, out) = x (n, in) W^T + add, where that is given.
  void linear(MatrixView<T> x, std::size_t offset, MatrixView<T> y, const T* add = nullptr) {
    queue_.gemm(false, true, x.rows, y.columns, x.columns, x.data, x.stride, weight(offset), x.columns, add,
                y.data, y.stride);
  }

  void rotate_into_cache(std::size_t l) {
    const LlamaConfig& c = config();
    const T* const bias = c.attention_bias ? weight(layout().layers[l].qkv_bias) : nullptr;
    queue_.launch(rows_, 1, 128, 0,
                  RotateIntoCache<T>{{qkv_, bias, positions_.data(), rotary_.cos(), rotary_.sin(),
                                      c.num_attention_heads + c.num_key_value_heads, c.head_dim, 1.0f},
                                     places_.data(),
                                     cache(l)});
  }

  // Tiles over the cache alone. Keys before a causal tile's square are a tile of their own, which a library
  // can be asked for.
  [[nodiscard]] static std::vector<kernels::AttentionTile> read_tiles(
      std::span<const kernels::AttentionTile> tiles) {
    std::vector<kernels::AttentionTile> out;
    for (kernels::AttentionTile t : tiles) {
      t.read = true;
      const std::int32_t square = t.kv_end - (t.q_end - t.q_begin);
      if (t.causal && t.kv_begin < square) {
        out.push_back({t.q_begin, t.q_end, t.kv_begin, square, false, true});
        t.kv_begin = square;
      }
      out.push_back(t);
    }
    return out;
  }

  void attend(std::size_t l, bool follow_each_other) {
    const LlamaConfig& c = config();
    const auto part = [](MatrixView<T> x, std::ptrdiff_t begin, std::ptrdiff_t columns) {
      return MatrixView<const T>{x.data + begin, x.rows, columns, x.stride};
    };
    const MatrixView<const T> q = part(qkv_, 0, c.query_width());
    const kernels::KeyValues<T> keys{part(cache(l), 0, c.kv_width()),
                                     part(cache(l), c.kv_width(), c.kv_width())};
    if (!follow_each_other) return split_.forward(q, keys, attended_);
    AttentionArrays<T> a = attention_.arrays(plan_);
    a.q = q;
    a.read = keys;
    a.out = attended_;
    a.log_sum_exp = attention_lse_.reserve(
        queue_,
        DeviceAttention<T, Queue>::log_sum_exps(static_cast<std::size_t>(rows_), c.num_attention_heads));
    attention_.forward(plan_, a);
  }

  // f(begin, rows) with logits_ (rows, V) of rows first + [begin, begin + rows) of the last run.
  template <class F>
  void head(std::int32_t first, std::int32_t n, F&& f) {
    const LlamaConfig& c = config();
    const std::int32_t most = std::min(n, options_.head_chunk);
    T* const normed = head_rows_.reserve(queue_, static_cast<std::size_t>(most * c.hidden_size));
    logits_.reserve(queue_, static_cast<std::size_t>(most) * static_cast<std::size_t>(c.vocab_size));
    for (std::int32_t begin = 0; begin < n; begin += most) {
      const std::int32_t rows = std::min(most, n - begin);
      norm(stream_.slice(first + begin, first + begin + rows), layout().final_norm,
           dense(normed, rows, c.hidden_size));
      queue_.gemm(false, true, rows, c.vocab_size, c.hidden_size, static_cast<const T*>(normed),
                  c.hidden_size, weight(layout().head), c.hidden_size, static_cast<const float*>(nullptr),
                  logits_.data(), c.vocab_size);
      f(begin, rows);
    }
  }

  Queue& queue_;
  const DeviceWeights<T, Queue>& weights_;
  DeviceDecoderOptions options_;
  DeviceAttention<T, Queue> attention_;  // of rows that follow each other
  typename DeviceAttention<T, Queue>::Plan plan_;
  SplitAttention<T, Queue> split_;             // of rows that do not
  std::vector<GrowingArray<T, Queue>> cache_;  // a layer each: (K, [k | v])
  GrowingArray<T, Queue> arrays_[7], head_rows_;
  GrowingArray<float, Queue> attention_lse_, logits_, logps_, lse_;
  GrowingArray<std::int32_t, Queue> tokens_, positions_, places_, targets_;
  GrowingArray<ChosenToken, Queue> chosen_;
  DeviceRotary<Queue> rotary_;
  std::int32_t rows_ = 0;
  MatrixView<T> stream_, middle_, normed_, qkv_, attended_, gate_up_, hidden_;
};

// DeviceDecoder<T, Queue>(queue, weights, options): the engine's arguments.
template <class T, class Queue>
using DeviceDecoder = BasicDecoder<DeviceDecoderEngine<T, Queue>>;

}  // namespace solopo::cuda
