// Matrix products by cuBLASLt: a plan for each shape, chosen once by the library's heuristic and kept.
// float32 is computed in float32 (no TF32), bfloat16 with float32 sums.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <tuple>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/cuda/device_array.cuh"
#include "solopo/cuda/error.cuh"

namespace solopo::cuda {

class CublasError : public Error {
 public:
  CublasError(cublasStatus_t status, const std::string& call, std::source_location where)
      : Error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " + call + ": " +
              cublasLtGetStatusString(status)),
        status_(status) {}
  [[nodiscard]] cublasStatus_t status() const noexcept { return status_; }

 private:
  cublasStatus_t status_;
};

// Throws CublasError unless `status` is success.
inline void check(cublasStatus_t status, const char* call,
                  std::source_location where = std::source_location::current()) {
  if (status != CUBLAS_STATUS_SUCCESS) throw CublasError(status, call, where);
}

class MatrixProduct {
 public:
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

  explicit MatrixProduct(cudaStream_t stream) : stream_(stream), workspace_(workspace_bytes) {
    cublasLtHandle_t handle = nullptr;
    check(cublasLtCreate(&handle), "cublasLtCreate");
    handle_.reset(handle);
  }

  // d (m, n) = factor op(a) op(b) + add, all row-major; add may be null. Throws CublasError.
  template <class T, class Out>
  void gemm(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, const T* a,
            std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb, const Out* add, Out* d, std::ptrdiff_t ldd,
            float factor = 1) {
    static_assert(std::same_as<T, float> || std::same_as<T, BFloat16>);
    static_assert(std::same_as<Out, float> || std::same_as<Out, BFloat16>);
    if (m == 0 || n == 0) return;
    const Key key{ta,
                  tb,
                  std::same_as<T, float>,
                  std::same_as<Out, float>,
                  m,
                  n,
                  k,
                  lda,
                  ldb,
                  ldd,
                  alignment(a) | alignment(b) | alignment(d)};
    auto found = plans_.find(key);
    if (found == plans_.end()) found = plans_.emplace(key, Plan(key, handle_.get())).first;
    const Plan& plan = found->second;
    const float beta = add ? 1.0f : 0.0f;
    // The library's matrices are column-major: it is given the transposed product.
    check(cublasLtMatmul(handle_.get(), plan.operation.get(), &factor, b, plan.a.get(), a, plan.b.get(),
                         &beta, add ? add : d, plan.d.get(), d, plan.d.get(), &plan.algorithm,
                         workspace_.data(), workspace_bytes, stream_),
          "cublasLtMatmul");
  }

  [[nodiscard]] std::size_t plans() const noexcept { return plans_.size(); }

 private:
  using Key = std::tuple<bool, bool, bool, bool, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t,
                         std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, unsigned>;

  // The low bits that keep a pointer from being aligned to 16 bytes.
  static unsigned alignment(const void* p) noexcept {
    return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(p) & 15u);
  }

  struct Destroy {
    void operator()(cublasLtHandle_t h) const noexcept { (void)cublasLtDestroy(h); }
    void operator()(cublasLtMatmulDesc_t d) const noexcept { (void)cublasLtMatmulDescDestroy(d); }
    void operator()(cublasLtMatrixLayout_t l) const noexcept { (void)cublasLtMatrixLayoutDestroy(l); }
    void operator()(cublasLtMatmulPreference_t p) const noexcept { (void)cublasLtMatmulPreferenceDestroy(p); }
  };
  template <class Handle>
  using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

  struct Plan {
    Owned<cublasLtMatmulDesc_t> operation;
    Owned<cublasLtMatrixLayout_t> a, b, d;
    cublasLtMatmulAlgo_t algorithm{};

    Plan(const Key& key, cublasLtHandle_t handle) {
      const auto& [ta, tb, float_in, float_out, m, n, k, lda, ldb, ldd, misaligned] = key;
      const cudaDataType in = float_in ? CUDA_R_32F : CUDA_R_16BF, out = float_out ? CUDA_R_32F : CUDA_R_16BF;
      cublasLtMatmulDesc_t desc = nullptr;
      check(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
      operation.reset(desc);
      const cublasOperation_t first = tb ? CUBLAS_OP_T : CUBLAS_OP_N, second = ta ? CUBLAS_OP_T : CUBLAS_OP_N;
      check(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first),
            "cublasLtMatmulDescSetAttribute");
      check(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second),
            "cublasLtMatmulDescSetAttribute");
      a = layout(in, tb ? k : n, tb ? n : k, ldb);
      b = layout(in, ta ? m : k, ta ? k : m, lda);
      d = layout(out, n, m, ldd);
      cublasLtMatmulPreference_t preference = nullptr;
      check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
      const Owned<cublasLtMatmulPreference_t> owned(preference);
      const std::size_t workspace = workspace_bytes;
      check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                 &workspace, sizeof workspace),
            "cublasLtMatmulPreferenceSetAttribute");
      const std::uint32_t bytes = misaligned == 0 ? 16 : (misaligned & 3u) == 0 ? 4 : 2;
      for (const auto attribute :
           {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
        check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &bytes, sizeof bytes),
              "cublasLtMatmulPreferenceSetAttribute");
      cublasLtMatmulHeuristicResult_t result{};
      int count = 0;
      check(cublasLtMatmulAlgoGetHeuristic(handle, desc, a.get(), b.get(), d.get(), d.get(), preference, 1,
                                           &result, &count),
            "cublasLtMatmulAlgoGetHeuristic");
      if (count == 0)
        throw CublasError(CUBLAS_STATUS_NOT_SUPPORTED, "no algorithm", std::source_location::current());
      algorithm = result.algo;
    }

    static Owned<cublasLtMatrixLayout_t> layout(cudaDataType type, std::ptrdiff_t rows,
                                                std::ptrdiff_t columns, std::ptrdiff_t stride) {
      cublasLtMatrixLayout_t out = nullptr;
      check(cublasLtMatrixLayoutCreate(&out, type, static_cast<std::uint64_t>(rows),
                                       static_cast<std::uint64_t>(columns), stride),
            "cublasLtMatrixLayoutCreate");
      return Owned<cublasLtMatrixLayout_t>(out);
    }
  };

  cudaStream_t stream_;
  std::unique_ptr<std::remove_pointer_t<cublasLtHandle_t>, Destroy> handle_;
  DeviceArray<unsigned char> workspace_;
  std::map<Key, Plan> plans_;
};

}  // namespace solopo::cuda
