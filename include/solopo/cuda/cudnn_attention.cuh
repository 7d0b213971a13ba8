// Attention by cuDNN's fused kernels, through its header-only frontend: a graph for each shape, built once
// and kept. Building one takes long beside running it, so it is for shapes that come again or are large.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <source_location>
#include <string>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/cuda/library_attention.hpp"

namespace solopo::cuda {

class CudnnError : public Error {
 public:
  CudnnError(const std::string& what, std::source_location where)
      : Error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": cuDNN: " + what) {}
};

class CudnnAttention {
 public:
  // deterministic: two runs give the same bits; the backward is slower.
  explicit CudnnAttention(cudaStream_t stream, bool deterministic = true);
  ~CudnnAttention();

  // Both throw CudnnError when the library has no kernel for the call; CudaError.
  void forward(const AttentionCall& call, const AttentionPointers<BFloat16>& p);
  void backward(const AttentionCall& call, const AttentionPointers<BFloat16>& p);

 private:
  class Graphs;
  std::unique_ptr<Graphs> graphs_;
};

}  // namespace solopo::cuda

#if !defined(SOLOPO_COMPILED_CUDNN)
#include "solopo/cuda/cudnn_graphs.cuh"
#endif
