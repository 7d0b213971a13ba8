// The llama-family decoder of model/llama.hpp on a device: the same batches, the same numbers, the same
// gradients. Products and memory come from a Queue: CudaQueue (queue.cuh), or one that plays a device.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/response.hpp"
#include "solopo/core/view.hpp"
#include "solopo/cost/lora.hpp"
#include "solopo/cuda/device_attention.hpp"
#include "solopo/cuda/device_lora.hpp"
#include "solopo/cuda/device_rotary.hpp"
#include "solopo/cuda/device_weights.hpp"
#include "solopo/cuda/growing_array.hpp"
#include "solopo/cuda/head_kernels.hpp"
#include "solopo/cuda/row_kernels.hpp"
#include "solopo/model/check_batch.hpp"
#include "solopo/model/computed_rows.hpp"
#include "solopo/model/llama_weights.hpp"
#include "solopo/model/lora.hpp"
#include "solopo/model/packed_sequences.hpp"
#include "solopo/model/work_count.hpp"

namespace solopo::cuda {

struct DeviceLlamaOptions {
  // Keep only each layer's input and run the layer again in the backward.
  bool recompute = false;
  AttentionKernels attention = AttentionKernels::fastest;
  // Pairs of a sequence, in each layer, from which `fastest` asks a library (library_choice.hpp).
  std::int64_t library_pairs = cuda::library_pairs;
  // Rows of logits held at once. Where all rows of a batch are, the backward does not compute them again.
  std::int32_t head_chunk = 1024;
};

// T: float or BFloat16, what activations are stored in; sums, logits, log-probabilities and gradients of
// weights are float32.
template <class T, class Queue>
class DeviceLlama {
 public:
  // Keeps references to both, which must live as long as this. Throws ArgumentError when an option is out of
  // range.
  DeviceLlama(Queue& queue, const DeviceWeights<T, Queue>& weights, DeviceLlamaOptions options = {})
      : DeviceLlama(queue, weights, nullptr, options) {}

  // The model with adapters beside its maps: the weights are frozen, and gradients are the adapters'. Throws
  // ArgumentError also when the adapters are another model's.
  DeviceLlama(Queue& queue, const DeviceWeights<T, Queue>& weights, const DeviceLora<T, Queue>& lora,
              DeviceLlamaOptions options = {})
      : DeviceLlama(queue, weights, &lora, options) {}

  // Summed log-probability of each response [nats], (responses); with collision_logp statistics() has that
  // too. Waits for the device. Throws ArgumentError for a token outside the vocabulary, a sequence longer
  // than the model's context and a statistic that compares two models; CudaError.
  std::vector<float> response_logps(const PackedSequences& batch, Statistic statistic = Statistic::none) {
    return run(batch, false, statistic);
  }

  // The same numbers, bit for bit, keeping what backward() needs.
  std::vector<float> forward(const PackedSequences& batch, Statistic statistic = Statistic::none) {
    auto logps = run(batch, true, statistic);
    kept_ = true;
    return logps;
  }

  // The statistic of each response in the last pass, summed over its tokens; zeros of none.
  [[nodiscard]] std::span<const float> statistics() const noexcept { return statistics_; }

  // Adds d(sum_r dlogps[r] * logp[r] + dstatistics[r] * statistic[r]) / d weights, or / d adapters where the
  // model has some, into `gradients` (the size of their layout), which lie on the device; after forward().
  // dstatistics may stay empty. Does not wait for the device. Throws ArgumentError when sizes are wrong or no
  // forward() went before; CudaError.
  void backward(std::span<const float> dlogps, float* gradients, std::span<const float> dstatistics = {}) {
    if (!kept_) throw ArgumentError("backward", "no forward() went before");
    const auto check_size = [&](const char* name, std::size_t size) {
      if (size != responses_)
        throw ArgumentError(
            name, "has " + std::to_string(size) + " elements, expected " + std::to_string(responses_));
    };
    check_size("dlogps", dlogps.size());
    if (!dstatistics.empty()) check_size("dstatistics", dstatistics.size());
    std::vector<float> derivatives(dlogps.begin(), dlogps.end());
    derivatives.resize(2 * responses_, 0.0f);
    std::copy(dstatistics.begin(), dstatistics.end(),
              derivatives.begin() + static_cast<std::ptrdiff_t>(responses_));
    derivatives_.upload(queue_, derivatives);

    const LlamaConfig& c = weights_.config();
    const auto rows = static_cast<std::size_t>(rows_);
    const std::size_t width = static_cast<std::size_t>(c.hidden_size);
    const MatrixView<T> dstream = dense(dstream_.reserve(queue_, rows * width), rows_, c.hidden_size);
    prepare_backward();
    head_backward(dstream, gradients);
    for (std::size_t l = layout().layers.size(); l-- > 0;) {
      const Layer a = layer(l);
      if (options_.recompute) activate(l, a);
      layer_backward(l, a, dstream, gradients);
    }
    if (!lora_)
      queue_.launch(
          static_cast<int>(distinct_), 1, row_threads(c.hidden_size), 0,
          EmbedGradient<T>{dstream, distinct_tokens_.data(), token_begins_.data(), token_rows_.data(),
                           dense(gradients + layout().embedding, c.vocab_size, c.hidden_size)});
    work_.backward += pass_;
    cost::Work again;
    if (options_.recompute) again = pass_;
    again.head_rows = logits_kept() ? 0 : pass_.head_rows;
    work_.recomputed += again;
  }

  // What the calls so far have computed.
  [[nodiscard]] const WorkCount& work() const noexcept { return work_; }

  // Bytes of activations and workspace held on the device now (they only grow).
  [[nodiscard]] std::size_t peak_bytes() const noexcept {
    return arena_.bytes() + lse_.bytes() + workspace_.bytes() + dstream_.bytes() + read_.bytes() +
           logits_.bytes() + dlogits_.bytes() + head_rows_.bytes() + dhead_.bytes() + parts_.bytes() +
           attention_.bytes();
  }

 private:
  using Adapter = LoraLayout::Adapter;
  enum class Keep { nothing, layer_inputs, all };

  // As LlamaRunState::Layer.
  struct Layer {
    MatrixView<T> input, qkv, attention, middle, gate_up;
    float* log_sum_exp = nullptr;  // of all rows

    [[nodiscard]] Layer slice(const RowRun& rows) const noexcept {
      const auto part = [&](MatrixView<T> x) { return x.slice(rows.begin, rows.end); };
      return {part(input), part(qkv), part(attention), part(middle), part(gate_up), log_sum_exp};
    }
  };
  // The rows that a layer computes, keys and values aside.
  struct Computed {
    std::vector<RowRun> runs;
    typename DeviceAttention<T, Queue>::Plan plan;
  };
  // A linear map of a layer, or some rows of its W: where they begin, and the adapters beside them. `first`:
  // the column of the whole map's output that theirs begins at, which adapters count from.
  struct LinearMap {
    std::size_t weight;
    std::span<const Adapter> adapters;
    std::ptrdiff_t first = 0;
  };

  DeviceLlama(Queue& queue, const DeviceWeights<T, Queue>& weights, const DeviceLora<T, Queue>* lora,
              DeviceLlamaOptions options)
      : queue_(queue),
        weights_(weights),
        lora_(lora),
        options_(options),
        attention_(queue, weights.config().num_attention_heads, weights.config().num_key_value_heads,
                   weights.config().head_dim, options.attention) {
    if (options.head_chunk < 1) throw ArgumentError("head_chunk", "must be 1 or more");
    if (lora && !lora->fit(weights.config()))
      throw ArgumentError("lora", "the adapters are not of a model of this shape");
  }

  [[nodiscard]] const LlamaLayout& layout() const noexcept { return weights_.layout(); }
  [[nodiscard]] const T* weight(std::size_t offset) const noexcept { return weights_.values() + offset; }
  [[nodiscard]] MatrixView<const T> head_weight() const noexcept {
    return dense<const T>(weight(layout().head), weights_.config().vocab_size, weights_.config().hidden_size);
  }
  [[nodiscard]] float epsilon() const noexcept { return static_cast<float>(weights_.config().rms_norm_eps); }
  // Threads for a row: whole warps, no more than there are pairs of elements.
  [[nodiscard]] static int row_threads(std::ptrdiff_t columns) noexcept {
    return static_cast<int>(std::clamp<std::ptrdiff_t>((columns / 2 + 31) / 32 * 32, 32, 256));
  }
  // Every array begins at 128 bytes.
  [[nodiscard]] static std::size_t padded(std::size_t elements) noexcept { return (elements + 63) / 64 * 64; }

  // --- memory ---------------------------------------------------------------------------------------------

  void prepare(std::int32_t rows, Keep keep) {
    const LlamaConfig& c = weights_.config();
    const std::size_t s = static_cast<std::size_t>(rows), n = layout().layers.size();
    const auto size = [&](std::int64_t columns) { return padded(s * static_cast<std::size_t>(columns)); };
    rows_ = rows;
    inputs_ = keep == Keep::nothing ? 1 : n;
    works_ = keep == Keep::all ? n : 1;
    input_size_ = size(c.hidden_size);
    work_size_ = size(c.qkv_width()) + size(c.query_width()) + size(c.hidden_size) +
                 size(2 * std::int64_t(c.intermediate_size));
    const std::size_t shared = size(c.hidden_size) + size(c.intermediate_size) + size(inner_columns());
    T* const arena = arena_.reserve(queue_, input_size_ * (inputs_ + 1) + work_size_ * works_ + shared);
    normed_ = dense(arena + input_size_ * (inputs_ + 1) + work_size_ * works_, rows, c.hidden_size);
    hidden_ = dense(normed_.data + size(c.hidden_size), rows, c.intermediate_size);
    inner_ = dense(hidden_.data + size(c.intermediate_size), rows, inner_columns());
    lse_.reserve(queue_, DeviceAttention<T, Queue>::log_sum_exps(s, c.num_attention_heads) * works_);
  }

  [[nodiscard]] MatrixView<T> input(std::size_t i) const {
    return dense(arena_.data() + input_size_ * (i % (inputs_ + 1)), rows_, weights_.config().hidden_size);
  }

  [[nodiscard]] Layer layer(std::size_t i) const {
    const LlamaConfig& c = weights_.config();
    T* p = arena_.data() + input_size_ * (inputs_ + 1) + work_size_ * (i % works_);
    const auto take = [&](std::ptrdiff_t columns) {
      const auto view = dense(p, rows_, columns);
      p += padded(static_cast<std::size_t>(rows_ * columns));
      return view;
    };
    Layer l;
    l.input = input(i);
    l.qkv = take(c.qkv_width());
    l.attention = take(c.query_width());
    l.middle = take(c.hidden_size);
    l.gate_up = take(2 * std::ptrdiff_t(c.intermediate_size));
    l.log_sum_exp = lse_.data() + DeviceAttention<T, Queue>::log_sum_exps(static_cast<std::size_t>(rows_),
                                                                          c.num_attention_heads) *
                                      (i % works_);
    return l;
  }

  // Columns of workspace that the adapters take.
  [[nodiscard]] std::ptrdiff_t inner_columns() const {
    if (!lora_) return 0;
    const LoraConfig& of = lora_->config();
    return static_cast<std::ptrdiff_t>(cost::lora_inner_columns({.rank = of.rank, .targets = of.targets}));
  }

  void prepare_backward() {
    const LlamaConfig& c = weights_.config();
    const std::ptrdiff_t widths[] = {
        c.qkv_width(), c.query_width(),     2 * std::ptrdiff_t(c.intermediate_size),
        c.hidden_size, c.intermediate_size, inner_columns()};
    MatrixView<T>* const views[] = {&dqkv_, &dattention_, &dgate_up_, &dnormed_, &dhidden_, &dinner_};
    std::size_t total = 0;
    for (const std::ptrdiff_t w : widths) total += padded(static_cast<std::size_t>(rows_ * w));
    T* p = workspace_.reserve(queue_, total);
    for (std::size_t i = 0; i < 6; ++i) {
      *views[i] = dense(p, rows_, widths[i]);
      p += padded(static_cast<std::size_t>(rows_ * widths[i]));
    }
    const auto longest = static_cast<std::size_t>(std::max<std::ptrdiff_t>(rows_, target_count()));
    scales_.reserve(queue_, longest);
    if (lora_) return;
    parts_.reserve(
        queue_, (longest / sum_chunk + 1) * static_cast<std::size_t>(std::max(c.hidden_size, c.qkv_width())));
  }

  // --- the rows of a layer --------------------------------------------------------------------------------

  // All rows over these tiles, and of the last layer `last`.
  void plan_layers(std::vector<kernels::AttentionTile> tiles, const ComputedRows& last) {
    const auto plan = [&](Computed& to, const ComputedRows& computed, std::int64_t least) {
      to.runs = computed.runs;
      attention_.set(to.plan, computed, rows_, least);
    };
    const std::int64_t least = options_.library_pairs,
                       layers = static_cast<std::int64_t>(layout().layers.size());
    plan(all_, {{{0, rows_}}, std::move(tiles)}, least);
    plan(last_, last, least > never_library / layers ? never_library : least * layers);
  }
  [[nodiscard]] bool is_last(std::size_t l) const noexcept { return l + 1 == layout().layers.size(); }
  [[nodiscard]] const Computed& computed(std::size_t l) const noexcept { return is_last(l) ? last_ : all_; }
  [[nodiscard]] static MatrixView<T> part(MatrixView<T> x, const RowRun& rows) noexcept {
    return x.slice(rows.begin, rows.end);
  }
  [[nodiscard]] static MatrixView<T> columns(MatrixView<T> x, std::ptrdiff_t begin, std::ptrdiff_t count) {
    return {x.data + begin, x.rows, count, x.stride};
  }

  // f(rows, map, its columns of [q | k | v]) for what a layer computes of these: first keys and values of all
  // rows, in the last layer those alone, and then queries of computed rows.
  template <class F>
  void each_projection(std::size_t l, F&& f) const {
    const LlamaConfig& c = weights_.config();
    const std::span<const Adapter> adapters = adapters_of(l).qkv;
    const auto map = [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      const auto from = [&](std::ptrdiff_t column) {
        return std::find_if(adapters.begin(), adapters.end(),
                            [=](const Adapter& adapter) { return adapter.column >= column; });
      };
      return LinearMap{layout().layers[l].qkv + static_cast<std::size_t>(begin * c.hidden_size),
                       {from(begin), from(end)},
                       begin};
    };
    const std::ptrdiff_t queries = c.query_width(), all = c.qkv_width();
    const RowRun all_rows{0, rows_};
    if (!is_last(l)) return f(all_rows, map(0, all), all);
    f(all_rows, map(queries, all), all - queries);
    for (const RowRun& run : last_.runs) f(run, map(0, queries), queries);
  }
  [[nodiscard]] const LoraLayout::Layer& adapters_of(std::size_t l) const noexcept {
    static const LoraLayout::Layer none;
    return lora_ ? lora_->layout().layers[l] : none;
  }

  // --- a layer --------------------------------------------------------------------------------------------

  void norm(MatrixView<T> x, std::size_t offset, MatrixView<T> y) {
    launch_norm<HeldRmsNorm, T>(queue_, static_cast<int>(x.rows),
                                RmsNorm<T>{x, nullptr, weight(offset), y, epsilon()});
  }
  // y (S, out) = x (S, in) W^T + add, where that is given; of adapters + s u B^T, u = x A^T.
  void linear(MatrixView<T> x, const LinearMap& map, MatrixView<T> y, const T* add = nullptr) {
    queue_.gemm(false, true, x.rows, y.columns, x.columns, x.data, x.stride, weight(map.weight), x.columns,
                add, y.data, y.stride);
    if (map.adapters.empty()) return;
    const MatrixView<T> u = inner(map, x);
    each_adapter(map, u, y, [&](const Adapter& adapter, MatrixView<T> own, MatrixView<T> to) {
      queue_.gemm(false, true, own.rows, to.columns, own.columns, own.data, own.stride, b_of(adapter), rank(),
                  static_cast<const T*>(to.data), to.data, to.stride, scale());
    });
  }
  // dx (S, in) = dy (S, out) W, or that added; of adapters dinner = s dy B and dx += dinner A.
  void linear_input_gradient(MatrixView<T> dy, const LinearMap& map, MatrixView<T> dx, bool add = false) {
    queue_.gemm(false, false, dy.rows, dx.columns, dy.columns, dy.data, dy.stride, weight(map.weight),
                dx.columns, static_cast<const T*>(add ? dx.data : nullptr), dx.data, dx.stride);
    if (map.adapters.empty()) return;
    const MatrixView<T> du = inner_part(map, dinner_, dy.rows);
    each_adapter(map, du, dy, [&](const Adapter& adapter, MatrixView<T> own, MatrixView<T> from) {
      queue_.gemm(false, false, own.rows, own.columns, from.columns, from.data, from.stride, b_of(adapter),
                  rank(), static_cast<const T*>(nullptr), own.data, own.stride, scale());
    });
    queue_.gemm(false, false, dx.rows, dx.columns, du.columns, du.data, du.stride, a_of(map), dx.columns,
                static_cast<const T*>(dx.data), dx.data, dx.stride);
  }
  // dW (out, in) += dy^T x, or where W is frozen of its adapters, after linear_input_gradient() gave their
  // dinner: dA += dinner^T x and dB += s dy^T u.
  void linear_weight_gradient(MatrixView<T> dy, MatrixView<T> x, const LinearMap& map, float* gradients) {
    const auto add = [&](MatrixView<T> d, MatrixView<T> of, std::size_t offset, float factor) {
      float* const sum = gradients + offset;
      queue_.gemm(true, false, d.columns, of.columns, of.rows, d.data, d.stride, of.data, of.stride,
                  static_cast<const float*>(sum), sum, of.columns, factor);
    };
    if (!lora_) return add(dy, x, map.weight, 1);
    if (map.adapters.empty()) return;
    each_adapter(map, inner(map, x), dy, [&](const Adapter& adapter, MatrixView<T> u, MatrixView<T> d) {
      add(d, u, adapter.b, scale());
    });
    add(inner_part(map, dinner_, x.rows), x, map.adapters.front().a, 1);
  }

  [[nodiscard]] std::ptrdiff_t rank() const noexcept { return lora_->config().rank; }
  [[nodiscard]] float scale() const noexcept { return static_cast<float>(lora_->config().scale()); }
  // Of all adapters of a map, one below the other (adapters r, in).
  [[nodiscard]] const T* a_of(const LinearMap& map) const noexcept {
    return lora_->values() + map.adapters.front().a;
  }
  [[nodiscard]] const T* b_of(const Adapter& adapter) const noexcept { return lora_->values() + adapter.b; }
  // What a map's adapters take of the workspace: r columns each.
  [[nodiscard]] MatrixView<T> inner_part(const LinearMap& map, MatrixView<T> workspace,
                                         std::ptrdiff_t rows) const noexcept {
    return dense(workspace.data, rows, static_cast<std::ptrdiff_t>(map.adapters.size()) * rank());
  }
  // u (S, adapters r) = x A^T
  MatrixView<T> inner(const LinearMap& map, MatrixView<T> x) {
    const MatrixView<T> u = inner_part(map, inner_, x.rows);
    queue_.gemm(false, true, u.rows, u.columns, x.columns, x.data, x.stride, a_of(map), x.columns,
                static_cast<const T*>(nullptr), u.data, u.stride);
    return u;
  }
  // f(adapter, its columns of `inner`, its columns of the map's output)
  template <class F>
  void each_adapter(const LinearMap& map, MatrixView<T> inner, MatrixView<T> output, F&& f) const {
    std::ptrdiff_t column = 0;
    for (const Adapter& adapter : map.adapters) {
      f(adapter, columns(inner, column, rank()),
        columns(output, adapter.column - map.first, adapter.columns));
      column += rank();
    }
  }

  // x: these rows of [q | k | v], from its column `first` on; after a bias, where that is given.
  void rotate(MatrixView<T> x, const RowRun& rows, std::ptrdiff_t first, const T* bias, float direction) {
    const LlamaConfig& c = weights_.config();
    const std::ptrdiff_t rotated =
        std::min(first + x.columns, std::ptrdiff_t(c.query_width()) + c.kv_width());
    queue_.launch(static_cast<int>(x.rows), 1, 128, 0,
                  BiasAndRotate<T>{x, bias, positions_.data() + rows.begin, rotary_.cos(), rotary_.sin(),
                                   static_cast<int>((rotated - first) / c.head_dim), c.head_dim, direction});
  }
  [[nodiscard]] AttentionArrays<T> attention_of(std::size_t l, const Layer& a) const {
    const LlamaConfig& c = weights_.config();
    AttentionArrays<T> out = attention_.arrays(computed(l).plan);
    out.q = columns(a.qkv, 0, c.query_width());
    out.k = columns(a.qkv, c.query_width(), c.kv_width());
    out.v = columns(a.qkv, c.query_width() + c.kv_width(), c.kv_width());
    if (read_rows_ > 0) {
      const MatrixView<T> cache = read_cache(l);
      out.read = {columns(cache, 0, c.kv_width()), columns(cache, c.kv_width(), c.kv_width())};
    }
    out.out = a.attention;
    out.log_sum_exp = a.log_sum_exp;
    return out;
  }

  // From a.input to a.gate_up.
  void activate(std::size_t l, const Layer& a) {
    const LlamaLayout::Layer& o = layout().layers[l];
    const LoraLayout::Layer& adapters = adapters_of(l);
    const T* const bias = weights_.config().attention_bias ? weight(o.qkv_bias) : nullptr;
    norm(a.input, o.input_norm, normed_);
    each_projection(l, [&](const RowRun& rows, const LinearMap& map, std::ptrdiff_t width) {
      const MatrixView<T> y = columns(part(a.qkv, rows), map.first, width);
      linear(part(normed_, rows), map, y);
      rotate(y, rows, map.first, bias ? bias + map.first : nullptr, 1);
    });
    attention_.forward(computed(l).plan, attention_of(l, a));
    for (const RowRun& rows : computed(l).runs) {
      const Layer own = a.slice(rows);
      const MatrixView<T> normed = part(normed_, rows);
      linear(own.attention, {o.output, adapters.output}, own.middle, own.input.data);
      norm(own.middle, o.mlp_norm, normed);
      linear(normed, {o.gate_up, adapters.gate_up}, own.gate_up);
    }
  }
  void project_down(std::size_t l, const Layer& a, MatrixView<T> output) {
    for (const RowRun& rows : computed(l).runs) {
      const Layer own = a.slice(rows);
      const MatrixView<T> hidden = part(hidden_, rows);
      queue_.launch(static_cast<int>(hidden.rows), 1, held_threads(hidden.columns), 0,
                    SwiGlu<T>{own.gate_up, hidden});
      linear(hidden, {layout().layers[l].down, adapters_of(l).down}, part(output, rows), own.middle.data);
    }
  }

  // Adds dL/dx into dx and, unless it is frozen, dL/dw into the gradients, given dy.
  void norm_backward(MatrixView<T> x, std::size_t offset, MatrixView<T> dy, MatrixView<T> dx,
                     float* gradients) {
    launch_norm<HeldRmsNormGradient, T>(
        queue_, static_cast<int>(x.rows),
        RmsNormGradient<T>{x, nullptr, nullptr, weight(offset), dy, dx, scales_.data(), epsilon()});
    if (!lora_) add_columns(dy, x, nullptr, gradients + offset);
  }
  // to (C) += the column sums of dy * x * scales, or of dy alone.
  void add_columns(MatrixView<T> dy, MatrixView<T> x, const std::int32_t* rows, float* to) {
    const int columns = static_cast<int>(dy.columns), blocks = (columns + 127) / 128,
              chunks = static_cast<int>((dy.rows + sum_chunk - 1) / sum_chunk);
    queue_.launch(blocks, chunks, 128, 0, ColumnSumParts<T>{dy, x, rows, scales_.data(), parts_.data()});
    queue_.launch(blocks, 1, 128, 0, ColumnSum{parts_.data(), chunks, columns, to});
  }

  // dstream holds dL/d output, zero in rows that are not computed, and becomes dL/d input.
  void layer_backward(std::size_t l, const Layer& a, MatrixView<T> dstream, float* gradients) {
    const LlamaLayout::Layer& o = layout().layers[l];
    const LlamaConfig& c = weights_.config();
    for (const RowRun& rows : computed(l).runs)
      backward_to_attention(l, a.slice(rows), rows, part(dstream, rows), gradients);
    AttentionArrays<T> arrays = attention_of(l, a);
    arrays.dout = dattention_;
    arrays.dq = columns(dqkv_, 0, c.query_width());
    arrays.dk = columns(dqkv_, c.query_width(), c.kv_width());
    arrays.dv = columns(dqkv_, c.query_width() + c.kv_width(), c.kv_width());
    attention_.backward(computed(l).plan, arrays);
    norm(a.input, o.input_norm, normed_);
    bool add = false;  // the first projection is of all rows
    each_projection(l, [&](const RowRun& rows, const LinearMap& map, std::ptrdiff_t width) {
      const MatrixView<T> dy = columns(part(dqkv_, rows), map.first, width);
      rotate(dy, rows, map.first, nullptr, -1);
      linear_input_gradient(dy, map, part(dnormed_, rows), std::exchange(add, true));
      linear_weight_gradient(dy, part(normed_, rows), map, gradients);
      if (c.attention_bias && !lora_) add_columns(dy, {}, nullptr, gradients + o.qkv_bias + map.first);
    });
    norm_backward(a.input, o.input_norm, dnormed_, dstream, gradients);
  }

  // From dL/d output of these rows to dL/d middle in dstream, and dattention_.
  void backward_to_attention(std::size_t l, const Layer& a, const RowRun& rows, MatrixView<T> dstream,
                             float* gradients) {
    const LlamaLayout::Layer& o = layout().layers[l];
    const LoraLayout::Layer& adapters = adapters_of(l);
    const LinearMap output{o.output, adapters.output}, gate_up{o.gate_up, adapters.gate_up},
        down{o.down, adapters.down};
    const MatrixView<T> normed = part(normed_, rows), hidden = part(hidden_, rows),
                        dgate_up = part(dgate_up_, rows), dnormed = part(dnormed_, rows),
                        dhidden = part(dhidden_, rows);
    linear_input_gradient(dstream, down, dhidden);
    queue_.launch(static_cast<int>(hidden.rows), 1, held_threads(hidden.columns), 0,
                  SwiGluGradient<T>{a.gate_up, dhidden, hidden, dgate_up});
    linear_weight_gradient(dstream, hidden, down, gradients);
    norm(a.middle, o.mlp_norm, normed);
    linear_input_gradient(dgate_up, gate_up, dnormed);
    linear_weight_gradient(dgate_up, normed, gate_up, gradients);
    norm_backward(a.middle, o.mlp_norm, dnormed, dstream, gradients);
    linear_input_gradient(dstream, output, part(dattention_, rows));
    linear_weight_gradient(dstream, a.attention, output, gradients);
  }

  // --- the head -------------------------------------------------------------------------------------------

  [[nodiscard]] std::ptrdiff_t target_count() const noexcept {
    return static_cast<std::ptrdiff_t>(pass_.head_rows);
  }
  [[nodiscard]] bool logits_kept() const noexcept { return target_count() <= options_.head_chunk; }

  // f(begin, rows) for each chunk of scored rows.
  template <class F>
  void each_chunk(F&& f) {
    const std::ptrdiff_t chunk = options_.head_chunk;
    for (std::ptrdiff_t begin = 0; begin < target_count(); begin += chunk)
      f(begin, std::min(chunk, target_count() - begin));
  }
  void compute_logits(std::ptrdiff_t begin, std::ptrdiff_t n) {
    const LlamaConfig& c = weights_.config();
    queue_.gemm(false, true, n, c.vocab_size, c.hidden_size, head_rows_.data() + begin * c.hidden_size,
                c.hidden_size, head_weight().data, c.hidden_size, static_cast<const float*>(nullptr),
                logits_.data(), c.vocab_size);
  }
  [[nodiscard]] LogitRows logit_rows(std::ptrdiff_t begin) const {
    return {logits_.data(),
            weights_.config().vocab_size,
            target_tokens_.data() + begin,
            target_responses_.data() + begin,
            token_logps_.data() + begin,
            head_lse_.data() + begin,
            statistic_,
            token_statistics_.data() + begin};
  }

  void head_forward() {
    const LlamaConfig& c = weights_.config();
    const auto targets = static_cast<std::size_t>(target_count()),
               width = static_cast<std::size_t>(c.hidden_size);
    head_rows_.reserve(queue_, targets * width);
    for (auto* numbers : {&token_logps_, &head_lse_, &token_statistics_}) numbers->reserve(queue_, targets);
    logits_.reserve(queue_, std::min<std::size_t>(targets, static_cast<std::size_t>(options_.head_chunk)) *
                                static_cast<std::size_t>(c.vocab_size));
    launch_norm<HeldRmsNorm, T>(
        queue_, static_cast<int>(targets),
        RmsNorm<T>{input(layout().layers.size()), target_rows_.data(), weight(layout().final_norm),
                   dense(head_rows_.data(), target_count(), c.hidden_size), epsilon()});
    each_chunk([&](std::ptrdiff_t begin, std::ptrdiff_t n) {
      compute_logits(begin, n);
      queue_.launch(static_cast<int>(n), 1, 256, 0, LogProbs{logit_rows(begin)});
    });
  }

  void head_backward(MatrixView<T> dstream, float* gradients) {
    const LlamaConfig& c = weights_.config();
    const auto targets = static_cast<std::size_t>(target_count()),
               width = static_cast<std::size_t>(c.hidden_size);
    const auto dhead = dense(dhead_.reserve(queue_, targets * width), target_count(), c.hidden_size);
    const auto rows = std::min<std::size_t>(targets, static_cast<std::size_t>(options_.head_chunk));
    dlogits_.reserve(queue_, rows * static_cast<std::size_t>(c.vocab_size));
    each_chunk([&](std::ptrdiff_t begin, std::ptrdiff_t n) {
      if (!logits_kept()) compute_logits(begin, n);
      queue_.launch(static_cast<int>(n), 1, 256, 0,
                    LogitGradient<T>{logit_rows(begin), derivatives_.data(), derivatives_.data() + responses_,
                                     dlogits_.data()});
      queue_.gemm(false, false, n, c.hidden_size, c.vocab_size, dlogits_.data(), c.vocab_size,
                  head_weight().data, c.hidden_size, static_cast<const T*>(nullptr), dhead.row(begin),
                  c.hidden_size);
      if (lora_) return;
      float* const dw = gradients + layout().head;
      queue_.gemm(true, false, c.vocab_size, c.hidden_size, n, dlogits_.data(), c.vocab_size,
                  head_rows_.data() + begin * c.hidden_size, c.hidden_size, static_cast<const float*>(dw), dw,
                  c.hidden_size);
    });
    queue_.zero(dstream.data, static_cast<std::size_t>(rows_) * width);
    const MatrixView<T> output = input(layout().layers.size());
    launch_norm<HeldRmsNormGradient, T>(
        queue_, static_cast<int>(scored_rows_),
        RmsNormGradient<T>{output, scored_.data(), scored_begins_.data(), weight(layout().final_norm), dhead,
                           dstream, scales_.data(), epsilon()});
    if (!lora_) add_columns(dhead, output, target_rows_.data(), gradients + layout().final_norm);
  }

  // --- a pass ---------------------------------------------------------------------------------------------

  [[nodiscard]] MatrixView<T> read_cache(std::size_t l) const {
    const std::ptrdiff_t width = 2 * std::ptrdiff_t(weights_.config().kv_width());
    return dense(read_.data() + l * padded(static_cast<std::size_t>(read_rows_ * width)), read_rows_, width);
  }

  // Prompts that the batch reads without a gradient, one after the other: their keys and values are kept.
  void read_prompts(const PackedSequences& batch) {
    const LlamaConfig& c = weights_.config();
    const std::size_t layers = layout().layers.size(), width = 2 * static_cast<std::size_t>(c.kv_width());
    read_.reserve(queue_, layers * padded(batch.read_tokens.size() * width));
    std::int32_t begin = 0;
    for (const std::int32_t end : batch.read_ends) {
      const std::int32_t rows = end - begin;
      read_rows_ = 0;  // the prompt sees itself alone
      prepare(rows, Keep::nothing);
      std::vector<std::int32_t> positions(static_cast<std::size_t>(rows));
      std::iota(positions.begin(), positions.end(), 0);
      positions_.upload(queue_, positions);
      tokens_.upload(queue_, std::vector<std::int32_t>(batch.read_tokens.begin() + begin,
                                                       batch.read_tokens.begin() + end));
      plan_layers({{0, rows, 0, rows, true}}, {});  // nothing reads the last layer's output
      embed();
      for (std::size_t l = 0; l < layers; ++l) {
        const Layer a = layer(l);
        activate(l, a);
        project_down(l, a, input(l + 1));
        read_rows_ = static_cast<std::ptrdiff_t>(batch.read_tokens.size());
        MatrixView<T> cache = read_cache(l);
        read_rows_ = 0;
        cache = {cache.row(begin), rows, cache.columns, cache.stride};
        queue_.launch(rows, 1, 128, 0,
                      CopyRows<T>{columns(a.qkv, c.query_width(), 2 * std::ptrdiff_t(c.kv_width())), cache});
      }
      begin = end;
    }
    read_rows_ = static_cast<std::ptrdiff_t>(batch.read_tokens.size());
    work_.forward += read_work_of(batch);
  }

  void embed() {
    const LlamaConfig& c = weights_.config();
    queue_.launch(static_cast<int>(rows_), 1, row_threads(c.hidden_size), 0,
                  Embed<T>{dense<const T>(weight(layout().embedding), c.vocab_size, c.hidden_size),
                           tokens_.data(), input(0)});
  }

  // What is read of the targets: by row, so that the responses of one row are neighbours.
  void upload_targets(const PackedSequences& batch) {
    targets_ = batch.targets;
    std::stable_sort(targets_.begin(), targets_.end(),
                     [](const HeadTarget& a, const HeadTarget& b) { return a.row < b.row; });
    std::vector<std::int32_t> rows, tokens, responses, scored, begins;
    for (const HeadTarget& target : targets_) {
      if (scored.empty() || scored.back() != target.row) {
        scored.push_back(target.row);
        begins.push_back(static_cast<std::int32_t>(rows.size()));
      }
      rows.push_back(target.row);
      tokens.push_back(target.token);
      responses.push_back(target.response);
    }
    begins.push_back(static_cast<std::int32_t>(rows.size()));
    scored_rows_ = scored.size();
    target_rows_.upload(queue_, rows);
    target_tokens_.upload(queue_, tokens);
    target_responses_.upload(queue_, responses);
    scored_.upload(queue_, scored);
    scored_begins_.upload(queue_, begins);
  }

  // The rows of each distinct token, for the embedding's gradient.
  void upload_token_rows(const PackedSequences& batch) {
    std::vector<std::int32_t> rows(batch.tokens.size()), tokens, begins;
    std::iota(rows.begin(), rows.end(), 0);
    const auto token = [&](std::int32_t row) { return batch.tokens[static_cast<std::size_t>(row)]; };
    std::stable_sort(rows.begin(), rows.end(),
                     [&](std::int32_t a, std::int32_t b) { return token(a) < token(b); });
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (tokens.empty() || tokens.back() != token(rows[i])) {
        tokens.push_back(token(rows[i]));
        begins.push_back(static_cast<std::int32_t>(i));
      }
    begins.push_back(static_cast<std::int32_t>(rows.size()));
    distinct_ = tokens.size();
    distinct_tokens_.upload(queue_, tokens);
    token_begins_.upload(queue_, begins);
    token_rows_.upload(queue_, rows);
  }

  std::vector<float> run(const PackedSequences& batch, bool keep, Statistic statistic) {
    kept_ = false;
    rotary_.reserve(queue_, weights_.config(), check_batch(weights_.config(), batch));
    if (statistic == Statistic::sequential_kl)
      throw ArgumentError("statistic", "compares two models, which is not done on a device");
    statistic_ = statistic;
    read_rows_ = 0;
    if (!batch.read_tokens.empty()) read_prompts(batch);
    const ComputedRows last = scored_rows(batch);
    pass_ = work_of(batch, last);
    responses_ = static_cast<std::size_t>(batch.responses);
    prepare(static_cast<std::int32_t>(batch.tokens.size()), !keep                ? Keep::nothing
                                                            : options_.recompute ? Keep::layer_inputs
                                                                                 : Keep::all);
    tokens_.upload(queue_, batch.tokens);
    positions_.upload(queue_, batch.positions);
    upload_targets(batch);
    if (keep && !lora_) upload_token_rows(batch);
    plan_layers(batch.tiles, last);
    embed();
    for (std::size_t l = 0; l < layout().layers.size(); ++l) {
      const Layer a = layer(l);
      activate(l, a);
      project_down(l, a, input(l + 1));
    }
    head_forward();
    work_.forward += pass_;

    const std::size_t targets = targets_.size();
    std::vector<float> token_logps(targets), token_statistics(targets, 0.0f);
    queue_.download(token_logps.data(), token_logps_.data(), targets);
    if (statistic == Statistic::collision_logp)
      queue_.download(token_statistics.data(), token_statistics_.data(), targets);
    std::vector<float> logps(responses_, 0.0f);
    statistics_.assign(responses_, 0.0f);
    for (std::size_t i = 0; i < targets; ++i) {
      const auto response = static_cast<std::size_t>(targets_[i].response);
      logps[response] += token_logps[i];
      statistics_[response] += token_statistics[i];
    }
    return logps;
  }

  Queue& queue_;
  const DeviceWeights<T, Queue>& weights_;
  const DeviceLora<T, Queue>* lora_;  // null: the weights themselves are trained
  DeviceLlamaOptions options_;
  DeviceAttention<T, Queue> attention_;
  std::int32_t rows_ = 0;
  Computed all_, last_;  // of layers before the last, and of the last
  std::size_t inputs_ = 1, works_ = 1, input_size_ = 0, work_size_ = 0;
  MatrixView<T> normed_, hidden_, inner_;  // workspace (S, C), (S, F), (S, R)
  MatrixView<T> dqkv_, dattention_, dgate_up_, dnormed_, dhidden_, dinner_;  // of the backward
  GrowingArray<T, Queue> arena_, workspace_, dstream_, read_, head_rows_, dhead_, dlogits_;
  GrowingArray<float, Queue> lse_, logits_, token_logps_, head_lse_, token_statistics_, scales_, parts_,
      derivatives_;
  GrowingArray<std::int32_t, Queue> tokens_, positions_, target_rows_, target_tokens_, target_responses_,
      scored_, scored_begins_, distinct_tokens_, token_begins_, token_rows_;
  DeviceRotary<Queue> rotary_;
  std::ptrdiff_t read_rows_ = 0;
  std::size_t responses_ = 0, scored_rows_ = 0, distinct_ = 0;
  std::vector<HeadTarget> targets_;  // by row
  std::vector<float> statistics_;    // (responses)
  Statistic statistic_ = Statistic::none;
  cost::Work pass_;
  WorkCount work_;
  bool kept_ = false;
};

}  // namespace solopo::cuda
