// A block of threads on a device: what kernels may ask of the hardware, in one place. A kernel is an object
// whose operator()(Block&) every thread of every block runs; written against Block, it also runs where a host
// plays the device.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "solopo/core/bfloat16.hpp"
#include "solopo/cuda/block_team.hpp"

namespace solopo::cuda {

class DeviceBlock {
 public:
  __device__ int thread() const { return static_cast<int>(threadIdx.x); }
  __device__ int threads() const { return static_cast<int>(blockDim.x); }
  __device__ int x() const { return static_cast<int>(blockIdx.x); }
  __device__ int y() const { return static_cast<int>(blockIdx.y); }
  __device__ int blocks() const { return static_cast<int>(gridDim.x); }
  __device__ void sync() const { __syncthreads(); }
  __device__ void sync_warp() const { __syncwarp(); }

  // Shared memory of the size that the launch asked for.
  __device__ void* shared() const {
    extern __shared__ __align__(128) unsigned char memory[];
    return memory;
  }
  // A little more of it, for sums: a number for each warp.
  __device__ void* scratch() const {
    __shared__ double warps[32];
    return warps;
  }

  template <class T>
  __device__ T shuffle_xor(T value, int mask) const {
    return __shfl_xor_sync(0xffffffffu, value, mask);
  }
  __device__ float exp2(float x) const {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }

  __device__ void atomic_min(unsigned long long* at, unsigned long long value) const { atomicMin(at, value); }

  // 16 bytes from global to shared memory, there after wait(). Both aligned to 16.
  __device__ void copy_async(void* to, const void* from) const {
    const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(from) : "memory");
  }
  __device__ void commit() const { asm volatile("cp.async.commit_group;" ::: "memory"); }
  // All copies but those of the last `pending` commits are there.
  template <int pending>
  __device__ void wait() const {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
  }

  // Four 8x8 matrices: lane l names row l % 8 of matrix l / 8 and gets elements (l / 4, 2 (l % 4) + {0, 1})
  // of each, of their transposes with `transposed`. PTX ISA, ldmatrix.
  template <bool transposed>
  __device__ void load_matrices(std::uint32_t (&out)[4], const BFloat16* row) const {
    const auto at = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    if constexpr (transposed) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                   : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                   : "r"(at)
                   : "memory");
    } else {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                   : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                   : "r"(at)
                   : "memory");
    }
  }

  // c (16, 8) += a (16, 16) b (16, 8), by a warp. PTX ISA, mma.m16n8k16.
  __device__ void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                               std::uint32_t b1) const {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
  // Two numbers, `low` in the lower half.
  __device__ std::uint32_t pack(float low, float high) const {
    std::uint32_t out;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
    return out;
  }
};

inline constexpr int most_threads = 256;  // of a block

template <class Kernel>
__global__ void __launch_bounds__(most_threads) run_kernel(const __grid_constant__ Kernel kernel) {
  DeviceBlock block;
  kernel(block);
}

}  // namespace solopo::cuda
