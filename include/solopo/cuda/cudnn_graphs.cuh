// What cudnn_attention.cuh declares. The frontend's headers take a compiler a minute: a program may compile
// this in one source of its own and define SOLOPO_COMPILED_CUDNN in the others.
#pragma once

#include <cuda_runtime.h>
#include <cudnn_frontend.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <unordered_map>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/cuda/cudnn_attention.cuh"
#include "solopo/cuda/device_array.cuh"
#include "solopo/cuda/error.cuh"
#include "solopo/cuda/library_attention.hpp"

namespace solopo::cuda {

class CudnnAttention::Graphs {
 public:
  Graphs(cudaStream_t stream, bool deterministic) : stream_(stream), deterministic_(deterministic) {}

  void forward(const AttentionCall& call, const AttentionPointers<BFloat16>& p) {
    run(plan_of(call, false), {{q, const_cast<BFloat16*>(p.q)},
                               {k, const_cast<BFloat16*>(p.k)},
                               {v, const_cast<BFloat16*>(p.v)},
                               {o, p.out},
                               {stats, p.log_sum_exp}});
  }
  void backward(const AttentionCall& call, const AttentionPointers<BFloat16>& p) {
    run(plan_of(call, true), {{q, const_cast<BFloat16*>(p.q)},
                              {k, const_cast<BFloat16*>(p.k)},
                              {v, const_cast<BFloat16*>(p.v)},
                              {o, p.out},
                              {stats, p.log_sum_exp},
                              {d_o, const_cast<BFloat16*>(p.dout)},
                              {d_q, p.dq},
                              {d_k, p.dk},
                              {d_v, p.dv}});
  }

 private:
  enum Uid : std::int64_t { q = 1, k, v, o, stats, d_o, d_q, d_k, d_v };
  using Graph = cudnn_frontend::graph::Graph;
  using Pack = std::unordered_map<std::int64_t, void*>;

  template <class Status>
  static void require(Status status, std::source_location where = std::source_location::current()) {
    if (status.is_bad()) throw CudnnError(status.get_message(), where);
  }

  cudnnHandle_t handle() {
    if (!handle_) {
      cudnnHandle_t made = nullptr;
      if (cudnnCreate(&made) != CUDNN_STATUS_SUCCESS)
        throw CudnnError("cudnnCreate failed", std::source_location::current());
      handle_.reset(made);
      if (cudnnSetStream(made, stream_) != CUDNN_STATUS_SUCCESS)
        throw CudnnError("cudnnSetStream failed", std::source_location::current());
    }
    return handle_.get();
  }

  Graph& plan_of(AttentionCall call, bool backward) {
    if (!backward) call.dq_stride = call.dkv_stride = 0;
    auto& graph = plans_[{call, backward}];
    if (!graph) graph = backward ? backward_graph(call) : forward_graph(call);
    return *graph;
  }

  void run(Graph& graph, const Pack& pack) {
    std::int64_t bytes = 0;
    require(graph.get_workspace_size(bytes));
    if (static_cast<std::size_t>(bytes) > workspace_.size()) {
      check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
      workspace_ = {};
      workspace_ = DeviceArray<unsigned char>(static_cast<std::size_t>(bytes));
    }
    Pack copy = pack;
    require(graph.execute(handle(), copy, workspace_.data()));
  }

  static std::shared_ptr<Graph> empty_graph() {
    namespace fe = cudnn_frontend;
    auto graph = std::make_shared<Graph>();
    graph->set_io_data_type(fe::DataType_t::BFLOAT16)
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    return graph;
  }
  // (1, heads, rows, head_dim) in rows of `stride` elements.
  static auto attributes(Uid uid, std::int64_t heads, std::int64_t rows, std::int64_t d,
                         std::int64_t stride) {
    return cudnn_frontend::graph::Tensor_attributes()
        .set_uid(uid)
        .set_dim({1, heads, rows, d})
        .set_stride({rows * stride, d, stride, 1});
  }
  static auto stats_attributes(const AttentionCall& c) {
    return cudnn_frontend::graph::Tensor_attributes()
        .set_uid(stats)
        .set_dim({1, c.heads, c.q_rows, 1})
        .set_stride({std::int64_t(c.heads) * c.q_rows, c.q_rows, 1, 1})
        .set_data_type(cudnn_frontend::DataType_t::FLOAT);
  }
  static void give_out(const std::shared_ptr<cudnn_frontend::graph::Tensor_attributes>& tensor, Uid uid,
                       std::int64_t heads, std::int64_t rows, std::int64_t d, std::int64_t stride) {
    tensor->set_output(true)
        .set_uid(uid)
        .set_dim({1, heads, rows, d})
        .set_stride({rows * stride, d, stride, 1});
  }
  void build(Graph& graph) {
    require(graph.validate());
    require(graph.build_operation_graph(handle()));
    require(graph.create_execution_plans({cudnn_frontend::HeurMode_t::A}));
    require(graph.check_support());
    require(graph.build_plans());
  }

  std::shared_ptr<Graph> forward_graph(const AttentionCall& c) {
    auto graph = empty_graph();
    const std::int64_t d = c.head_dim;
    const auto tq = graph->tensor(attributes(q, c.heads, c.q_rows, d, c.q_stride));
    const auto tk = graph->tensor(attributes(k, c.kv_heads, c.kv_rows, d, c.kv_stride));
    const auto tv = graph->tensor(attributes(v, c.kv_heads, c.kv_rows, d, c.kv_stride));
    auto [out, lse] = graph->sdpa(tq, tk, tv,
                                  cudnn_frontend::graph::SDPA_attributes()
                                      .set_name("attention")
                                      .set_generate_stats(true)
                                      .set_causal_mask(c.causal)
                                      .set_attn_scale(1 / std::sqrt(static_cast<float>(d))));
    give_out(out, o, c.heads, c.q_rows, d, c.out_stride);
    lse->set_output(true)
        .set_uid(stats)
        .set_data_type(cudnn_frontend::DataType_t::FLOAT)
        .set_dim({1, c.heads, c.q_rows, 1})
        .set_stride({std::int64_t(c.heads) * c.q_rows, c.q_rows, 1, 1});
    build(*graph);
    return graph;
  }

  std::shared_ptr<Graph> backward_graph(const AttentionCall& c) {
    auto graph = empty_graph();
    const std::int64_t d = c.head_dim;
    const auto tq = graph->tensor(attributes(q, c.heads, c.q_rows, d, c.q_stride));
    const auto tk = graph->tensor(attributes(k, c.kv_heads, c.kv_rows, d, c.kv_stride));
    const auto tv = graph->tensor(attributes(v, c.kv_heads, c.kv_rows, d, c.kv_stride));
    const auto to = graph->tensor(attributes(o, c.heads, c.q_rows, d, c.out_stride));
    const auto tdo = graph->tensor(attributes(d_o, c.heads, c.q_rows, d, std::int64_t(c.heads) * d));
    const auto ts = graph->tensor(stats_attributes(c));
    auto [tdq, tdk, tdv] = graph->sdpa_backward(tq, tk, tv, to, tdo, ts,
                                                cudnn_frontend::graph::SDPA_backward_attributes()
                                                    .set_name("attention_backward")
                                                    .set_causal_mask(c.causal)
                                                    .set_attn_scale(1 / std::sqrt(static_cast<float>(d)))
                                                    .set_deterministic_algorithm(deterministic_));
    give_out(tdq, d_q, c.heads, c.q_rows, d, c.dq_stride);
    give_out(tdk, d_k, c.kv_heads, c.kv_rows, d, c.dkv_stride);
    give_out(tdv, d_v, c.kv_heads, c.kv_rows, d, c.dkv_stride);
    build(*graph);
    return graph;
  }

  struct Destroy {
    void operator()(cudnnHandle_t h) const noexcept { (void)cudnnDestroy(h); }
  };

  cudaStream_t stream_;
  bool deterministic_;
  std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, Destroy> handle_;
  DeviceArray<unsigned char> workspace_;
  std::map<std::pair<AttentionCall, bool>, std::shared_ptr<Graph>> plans_;
};

#if defined(SOLOPO_CUDNN_SOURCE)
#define SOLOPO_CUDNN_INLINE
#else
#define SOLOPO_CUDNN_INLINE inline
#endif

SOLOPO_CUDNN_INLINE CudnnAttention::CudnnAttention(cudaStream_t stream, bool deterministic)
    : graphs_(std::make_unique<Graphs>(stream, deterministic)) {}
SOLOPO_CUDNN_INLINE CudnnAttention::~CudnnAttention() = default;
SOLOPO_CUDNN_INLINE void CudnnAttention::forward(const AttentionCall& call,
                                                 const AttentionPointers<BFloat16>& p) {
  graphs_->forward(call, p);
}
SOLOPO_CUDNN_INLINE void CudnnAttention::backward(const AttentionCall& call,
                                                  const AttentionPointers<BFloat16>& p) {
  graphs_->backward(call, p);
}

#undef SOLOPO_CUDNN_INLINE

}  // namespace solopo::cuda
