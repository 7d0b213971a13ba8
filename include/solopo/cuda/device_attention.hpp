// Attention on a device: plans of batches, and which kernels run them.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/core/bfloat16.hpp"
#include "solopo/cuda/attention_arrays.hpp"
#include "solopo/cuda/attention_plan.hpp"
#include "solopo/cuda/growing_array.hpp"
#include "solopo/cuda/library_attention.hpp"
#include "solopo/cuda/plain_attention.hpp"
#include "solopo/cuda/session.hpp"
#include "solopo/cuda/tensor_attention.hpp"
#include "solopo/model/computed_rows.hpp"

namespace solopo::cuda {

enum class AttentionKernels {
  fastest,  // the library for many pairs where the queue has one, else tensor, else plain
  library,  // whatever the number of pairs
  tensor,   // our own, for bfloat16 and the widths of heads there are kernels for, else plain
  plain
};

template <class T, class Queue>
class DeviceAttention {
 public:
  DeviceAttention(Queue& queue, int heads, int kv_heads, int head_dim, AttentionKernels kernels)
      : queue_(queue),
        kernels_(kernels),
        tensor_(kernels != AttentionKernels::plain && tensor_possible(head_dim)),
        library_possible_(kernels != AttentionKernels::plain && kernels != AttentionKernels::tensor &&
                          Queue::template has_attention<T>(head_dim)) {
    base_.heads = heads;
    base_.kv_heads = kv_heads;
    base_.head_dim = head_dim;
    base_.factor = 1 / std::sqrt(static_cast<float>(head_dim));
  }

  class Plan;

  // Plans attention of the computed rows to all of `rows` rows; a library is asked from `least` pairs of a
  // sequence on.
  void set(Plan& plan, const ComputedRows& computed, std::int32_t rows, std::int64_t least = library_pairs) {
    plan.rows = rows;
    plan.calls = {};
    std::span<const kernels::AttentionTile> tiles = computed.tiles;
    const bool in_tiles = all_in_tiles(computed);
    if (library_possible_ && in_tiles)  // our own kernels write rows without keys, too
      plan.calls = library_plan(tiles, rows, kernels_ == AttentionKernels::library ? 1 : least);
    if (plan.by_library()) tiles = plan.calls.rest;
    const int forward_rows = !tensor_               ? plain::q_size
                             : base_.head_dim == 64 ? tensor::forward_q_size<64>
                                                    : tensor::forward_q_size<128>;
    const int rows_of_keys = tensor_ ? tensor::tile_rows : plain::kv_size;
    plan.forward.upload(queue_, query_plan(tiles, rows, forward_rows, in_tiles));
    plan.queries.upload(queue_, query_plan(tiles, rows, rows_of_keys, in_tiles));
    plan.keys.upload(queue_, key_plan(tiles, rows, rows_of_keys, plan.by_library()));
  }

  // Heads, widths and the plan's rows filled in.
  [[nodiscard]] AttentionArrays<T> arrays(const Plan& plan) const {
    AttentionArrays<T> out = base_;
    out.rows = plan.rows;
    return out;
  }

  // Reads q, k, v and read of `a`; writes out and log_sum_exp of computed rows.
  void forward(const Plan& plan, AttentionArrays<T> a) {
    if constexpr (Queue::template has_attention<T>(64))
      if (plan.by_library()) library_.forward(queue_, plan.calls, a);
    a.log_sum_exp = own_log_sum_exp(a);
    a.query_blocks = plan.forward.blocks.data();
    a.query_tiles = plan.forward.tiles.data();
    if constexpr (std::same_as<T, BFloat16>) {
      if (tensor_ && a.head_dim == 64) return run(plan.forward.count, tensor::Forward<64>{a});
      if (tensor_) return run(plan.forward.count, tensor::Forward<128>{a});
    }
    run_plain(plan.forward.count, plain::Forward<T>{a});
  }

  // Reads what the forward read and wrote, and dout; writes dq of computed rows, dk and dv of all.
  void backward(const Plan& plan, AttentionArrays<T> a) {
    if constexpr (Queue::template has_attention<T>(64))
      if (plan.by_library()) library_.backward(queue_, plan.calls, a);
    a.log_sum_exp = own_log_sum_exp(a);
    if (plan.queries.count == 0 && plan.keys.count == 0) return;
    const auto heads = static_cast<std::size_t>(a.heads), rows = static_cast<std::size_t>(a.rows);
    a.query_blocks = plan.queries.blocks.data();
    a.query_tiles = plan.queries.tiles.data();
    a.key_blocks = plan.keys.blocks.data();
    a.key_tiles = plan.keys.tiles.data();
    a.delta = delta_.reserve(queue_, rows * heads);
    a.dk_part = dk_part_.reserve(queue_, rows * heads * static_cast<std::size_t>(a.head_dim));
    a.dv_part = dv_part_.reserve(queue_, rows * heads * static_cast<std::size_t>(a.head_dim));
    queue_.launch(plan.queries.count, plan_slices, 128, 0, AttentionDelta<T>{a});
    bool done = false;
    if constexpr (std::same_as<T, BFloat16>) {
      if (tensor_ && a.head_dim == 64) {
        run(plan.queries.count, tensor::QueryGradient<64>{a});
        run(plan.keys.count, tensor::KeyGradient<64>{a});
        done = true;
      } else if (tensor_) {
        run(plan.queries.count, tensor::QueryGradient<128>{a});
        run(plan.keys.count, tensor::KeyGradient<128>{a});
        done = true;
      }
    }
    if (!done) {
      run_plain(plan.queries.count, plain::QueryGradient<T>{a});
      run_plain(plan.keys.count, plain::KeyGradient<T>{a});
    }
    queue_.launch(plan.keys.count, plan_slices, 256, 0, AttentionAddGroup<T>{a, plan.by_library()});
  }

  [[nodiscard]] std::size_t bytes() const noexcept {
    return delta_.bytes() + dk_part_.bytes() + dv_part_.bytes();
  }

  // Numbers of log-sum-exps that arrays need for `rows` rows: those of the library and our own lie apart.
  [[nodiscard]] static std::size_t log_sum_exps(std::size_t rows, int heads) noexcept {
    return 2 * rows * static_cast<std::size_t>(heads);
  }

 private:
  [[nodiscard]] static float* own_log_sum_exp(const AttentionArrays<T>& a) noexcept {
    return a.log_sum_exp + static_cast<std::ptrdiff_t>(a.rows) * a.heads;
  }
  [[nodiscard]] static constexpr bool tensor_possible(int head_dim) {
    return std::same_as<T, BFloat16> && tensor::supports(head_dim);
  }
  template <class Kernel>
  void run(int blocks, const Kernel& kernel) {
    queue_.launch(blocks, base_.heads, tensor::threads, Kernel::shared_bytes, kernel);
  }
  template <class Kernel>
  void run_plain(int blocks, const Kernel& kernel) {
    queue_.launch(blocks, base_.heads, plain::threads, plain::shared_bytes(base_.head_dim), kernel);
  }

  struct Blocks {
    GrowingArray<PlanBlock, Queue> blocks;
    GrowingArray<TileRange, Queue> tiles;
    int count = 0;  // of blocks

    void upload(Queue& queue, const AttentionPlan& plan) {
      blocks.upload(queue, plan.blocks);
      tiles.upload(queue, plan.tiles);
      count = static_cast<int>(plan.blocks.size());
    }
  };

  Queue& queue_;
  AttentionKernels kernels_;
  bool tensor_, library_possible_;
  LibraryAttention<T, Queue> library_;
  AttentionArrays<T> base_;
  GrowingArray<float, Queue> delta_, dk_part_, dv_part_;
};

// What set() has planned, in memory of the device that it keeps.
template <class T, class Queue>
class DeviceAttention<T, Queue>::Plan {
  friend DeviceAttention;
  [[nodiscard]] bool by_library() const noexcept { return !calls.calls.empty(); }

  std::int32_t rows = 0;
  LibraryPlan calls;
  Blocks forward, queries, keys;  // queries of the forward, of the backward, and its keys
};

}  // namespace solopo::cuda
