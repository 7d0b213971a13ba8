// bfloat16 products with the processor's own instructions, where the build has oneDNN and the processor
// AVX512_BF16. oneDNN's matmul primitive is described differently in its versions 2 (Debian 12) and 3; both
// are served.
#pragma once

#include <cstddef>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/kernels/bf16_product.hpp"

#if defined(SOLOPO_PRODUCT_ONEDNN)
#include <dnnl.hpp>
#include <string>

namespace solopo::kernels {

inline bool has_native_bf16() noexcept {
  constexpr unsigned wanted = dnnl_cpu_isa_avx512_core_bf16;
  return (static_cast<unsigned>(dnnl_get_effective_cpu_isa()) & wanted) == wanted;
}

namespace onednn_detail {

// C = op(A) op(B), added to C where `add`; A and B of `Type`, C of float. Primitives of shapes met before
// come from oneDNN's cache.
template <dnnl::memory::data_type Type>
void matmul(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, const void* a,
            std::ptrdiff_t lda, const void* b, std::ptrdiff_t ldb, bool add, float* c, std::ptrdiff_t ldc) {
  using dnnl::memory;
  if (m == 0 || n == 0) return;
  try {
    static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    static thread_local dnnl::stream stream(engine);
    const auto strides = [](bool transposed, std::ptrdiff_t ld) {
      return transposed ? memory::dims{1, ld} : memory::dims{ld, 1};
    };
    const memory::desc left({m, k}, Type, strides(ta, lda)), right({k, n}, Type, strides(tb, ldb)),
        out({m, n}, memory::data_type::f32, memory::dims{ldc, 1});
    dnnl::primitive_attr how;
    if (add) {
      dnnl::post_ops after;
      after.append_sum(1.0f);
      how.set_post_ops(after);
    }
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc plan(engine, left, right, out, how);
#else
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(left, right, out), how, engine);
#endif
    // It reads A and B only, but takes them as void*.
    memory am(left, engine, const_cast<void*>(a)), bm(right, engine, const_cast<void*>(b)),
        cm(out, engine, c);
    dnnl::matmul(plan).execute(stream, {{DNNL_ARG_SRC, am}, {DNNL_ARG_WEIGHTS, bm}, {DNNL_ARG_DST, cm}});
    stream.wait();
  } catch (const dnnl::error& error) {
    throw Error("oneDNN's matmul of " + std::to_string(m) + " x " + std::to_string(k) + " and " +
                std::to_string(k) + " x " + std::to_string(n) + " failed: " + error.what());
  }
}

}  // namespace onednn_detail

struct NativeBf16Multiply {
  static constexpr const char* name = "oneDNN bf16";

  static void multiply(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
                       const BFloat16* a, std::ptrdiff_t lda, const BFloat16* b, std::ptrdiff_t ldb, bool add,
                       float* c, std::ptrdiff_t ldc) {
    static const bool able = has_native_bf16();
    if (!able) throw Error("this processor has no instructions for bfloat16 products (AVX512_BF16)");
    onednn_detail::matmul<dnnl::memory::data_type::bf16>(ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc);
  }
};

}  // namespace solopo::kernels

#else

namespace solopo::kernels {

inline bool has_native_bf16() noexcept { return false; }

struct NativeBf16Multiply {
  static constexpr const char* name = "none";

  static void multiply(bool, bool, std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t, const BFloat16*,
                       std::ptrdiff_t, const BFloat16*, std::ptrdiff_t, bool, float*, std::ptrdiff_t) {
    throw Error("this build has no bfloat16 products: build with oneDNN (SOLOPO_PRODUCT=ONEDNN)");
  }
};

}  // namespace solopo::kernels

#endif

namespace solopo::kernels {

// multiply() throws Error where has_native_bf16() is false.
using NativeBf16Product = Bf16Product<NativeBf16Multiply>;

}  // namespace solopo::kernels
