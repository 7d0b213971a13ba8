// A failed call of the CUDA runtime, as an exception that says which and where.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <string>

#include "solopo/core/error.hpp"

namespace solopo::cuda {

class CudaError : public Error {
 public:
  CudaError(cudaError_t code, const std::string& call, std::source_location where)
      : Error(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " + call + ": " +
              cudaGetErrorString(code) + " (" + cudaGetErrorName(code) + ")"),
        code_(code),
        where_(where) {}
  [[nodiscard]] cudaError_t code() const noexcept { return code_; }
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

 private:
  cudaError_t code_;
  std::source_location where_;
};

// Throws CudaError unless `code` is success. `call` is what was called.
inline void check(cudaError_t code, const char* call,
                  std::source_location where = std::source_location::current()) {
  if (code != cudaSuccess) throw CudaError(code, call, where);
}

// The number of devices; 0 also where there is no driver.
inline int device_count() noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  (void)cudaGetLastError();  // not an error of the next call
  return 0;
}

}  // namespace solopo::cuda
