// A stream of a device and what runs on it, in order: kernels, copies, matrix products.
#pragma once

#include <cuda_runtime.h>

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "solopo/cuda/block.cuh"
#include "solopo/cuda/device_array.cuh"
#include "solopo/cuda/error.cuh"
#include "solopo/cuda/library_attention.hpp"
#include "solopo/cuda/matrix_product.cuh"

// cuDNN's fused attention, where its frontend's headers are found; SOLOPO_WITHOUT_CUDNN does without.
#if !defined(SOLOPO_WITHOUT_CUDNN) && \
    (defined(SOLOPO_COMPILED_CUDNN) || (__has_include(<cudnn_frontend.h>) && __has_include(<cudnn.h>)))
#include "solopo/cuda/cudnn_attention.cuh"
#define SOLOPO_HAS_CUDNN 1
#else
#define SOLOPO_HAS_CUDNN 0
#endif

namespace solopo::cuda {

class CudaQueue {
 public:
  template <class T>
  using Array = DeviceArray<T>;

  // Everything is done on `stream` of the device that is current now. Throws CudaError.
  // deterministic: two runs give the same bits, also where a library would be faster without.
  explicit CudaQueue(cudaStream_t stream = nullptr, [[maybe_unused]] bool deterministic = true)
      : stream_(stream),
        product_(stream)
#if SOLOPO_HAS_CUDNN
        ,
        attention_(stream, deterministic)
#endif
  {
  }

  // Runs kernel(block) for x * y blocks of `threads` threads, at most most_threads. Nothing when there are no
  // blocks.
  template <class Kernel>
  void launch(int x, int y, int threads, std::size_t shared_bytes, const Kernel& kernel) {
    if (x == 0 || y == 0) return;
    static std::size_t allowed = std::size_t{48} * 1024;  // without asking
    if (shared_bytes > allowed) {
      check(cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared_bytes)),
            "cudaFuncSetAttribute");
      allowed = shared_bytes;
    }
    run_kernel<<<dim3(static_cast<unsigned>(x), static_cast<unsigned>(y)), static_cast<unsigned>(threads),
                 shared_bytes, stream_>>>(kernel);
    check(cudaGetLastError(), "kernel launch");
  }

  // d (m, n) = factor op(a) op(b) + add; add (m, n) has d's stride, may be d and may be null.
  template <class T, class Out>
  void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, const T* a,
            std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, const Out* add, Out* d, std::ptrdiff_t ldd,
            float factor = 1) {
    product_.gemm(ta, tb, m, n, k, a, lda, b, ldb, add, d, ldd, factor);
  }

  // Whether attention_forward() and attention_backward() are there for heads of this width.
  template <class T>
  [[nodiscard]] static constexpr bool has_attention([[maybe_unused]] int head_dim) noexcept {
    return SOLOPO_HAS_CUDNN && std::same_as<T, BFloat16> && head_dim % 8 == 0 && head_dim <= 128;
  }
#if SOLOPO_HAS_CUDNN
  void attention_forward(const AttentionCall& call, const AttentionPointers<BFloat16>& p) {
    attention_.forward(call, p);
  }
  void attention_backward(const AttentionCall& call, const AttentionPointers<BFloat16>& p) {
    attention_.backward(call, p);
  }
#endif

  template <class T>
  void upload(T* to, const T* from, std::size_t size) {
    if (size > 0)
      check(cudaMemcpyAsync(to, from, size * sizeof(T), cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
  }
  // Waits until the copy is there.
  template <class T>
  void download(T* to, const T* from, std::size_t size) {
    if (size > 0)
      check(cudaMemcpyAsync(to, from, size * sizeof(T), cudaMemcpyDeviceToHost, stream_), "cudaMemcpyAsync");
    wait();
  }
  // From one place on the device to another.
  template <class T>
  void copy(T* to, const T* from, std::size_t size) {
    if (size > 0)
      check(cudaMemcpyAsync(to, from, size * sizeof(T), cudaMemcpyDeviceToDevice, stream_),
            "cudaMemcpyAsync");
  }
  template <class T>
  void zero(T* to, std::size_t size) {
    if (size > 0) check(cudaMemsetAsync(to, 0, size * sizeof(T), stream_), "cudaMemsetAsync");
  }
  void wait() { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

  // Bytes of the device's memory in use, by all programs.
  [[nodiscard]] std::uint64_t used_bytes() const {
    std::size_t left = 0, total = 0;
    check(cudaMemGetInfo(&left, &total), "cudaMemGetInfo");
    return total - left;
  }

  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_; }

 private:
  cudaStream_t stream_;
  MatrixProduct product_;
#if SOLOPO_HAS_CUDNN
  CudnnAttention attention_;
#endif
};

}  // namespace solopo::cuda
