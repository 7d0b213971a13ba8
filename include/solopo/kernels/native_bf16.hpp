// bfloat16 products with the processor's own instructions, where the build has oneDNN and the processor
// AVX512_BF16. oneDNN's matmul primitive is described differently in its versions 2 (Debian 12) and 3; both
// are served.
#pragma once

#include <cstddef>

#include "solopo/core/bfloat16.hpp"
#include "solopo/core/error.hpp"
#include "solopo/kernels/bf16_product.hpp"

#if defined(SOLOPO_PRODUCT_ONEDNN)
#include <array>
#include <dnnl.hpp>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "solopo/kernels/parallel.hpp"

namespace solopo::kernels {

// What oneDNN makes of this processor, as its dnnl_cpu_isa_t; other instructions may give other bits.
inline unsigned native_bf16_isa() noexcept { return static_cast<unsigned>(dnnl_get_effective_cpu_isa()); }

inline bool has_native_bf16() noexcept {
  constexpr unsigned wanted = dnnl_cpu_isa_avx512_core_bf16;
  return (native_bf16_isa() & wanted) == wanted;
}

namespace onednn_detail {

inline const dnnl::engine& processor() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// A product of one shape, ready to run.
class Matmul {
 public:
  // The arguments of matmul() below, and for how many threads it is planned.
  using Key = std::array<std::ptrdiff_t, 10>;

  Matmul(dnnl::memory::data_type type, const Key& key) {
    using dnnl::memory;
    [[maybe_unused]] const auto [ta, tb, m, n, k, lda, ldb, ldc, add, threads] = key;
    const auto strides = [](bool transposed, std::ptrdiff_t ld) {
      return transposed ? memory::dims{1, ld} : memory::dims{ld, 1};
    };
    const memory::desc left({m, k}, type, strides(ta, lda)), right({k, n}, type, strides(tb, ldb)),
        out({m, n}, memory::data_type::f32, memory::dims{ldc, 1});
    dnnl::primitive_attr how;
    if (add) {
      dnnl::post_ops after;
      after.append_sum(1.0f);
      how.set_post_ops(after);
    }
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc plan(processor(), left, right, out, how);
#else
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(left, right, out), how, processor());
#endif
    run_ = dnnl::matmul(plan);
    left_ = memory(left, processor(), nullptr);
    right_ = memory(right, processor(), nullptr);
    out_ = memory(out, processor(), nullptr);
    arguments_ = {{DNNL_ARG_SRC, left_}, {DNNL_ARG_WEIGHTS, right_}, {DNNL_ARG_DST, out_}};
  }

  void run(const dnnl::stream& stream, const void* a, const void* b, void* c) {
    // It reads A and B only, but takes them as void*.
    left_.set_data_handle(const_cast<void*>(a));
    right_.set_data_handle(const_cast<void*>(b));
    out_.set_data_handle(c);
    run_.execute(stream, arguments_);
  }

 private:
  dnnl::matmul run_;
  dnnl::memory left_, right_, out_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

// While it lives, what this thread asks for is planned for one thread.
class OneThread {
 public:
  OneThread() noexcept { set_thread_count(1); }
  ~OneThread() { set_thread_count(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = thread_count();
};

// C = op(A) op(B), added to C where `add`; A and B of `Type`, C of float. Inside a parallel region it runs on
// the calling thread, and must be planned so: oneDNN 2.6 leaves out a part of the sum where it planned for
// several threads and has one. Each thread keeps the products it met, up to 256, then begins anew: making one
// takes longer than a small one runs.
template <dnnl::memory::data_type Type>
void matmul(bool ta, bool tb, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, const void* a,
            std::ptrdiff_t lda, const void* b, std::ptrdiff_t ldb, bool add, float* c, std::ptrdiff_t ldc) {
  constexpr std::size_t kept = 256;
  if (m == 0 || n == 0) return;
  try {
    static thread_local dnnl::stream stream(processor());
    static thread_local std::map<Matmul::Key, Matmul> products;
    const Matmul::Key key = {ta, tb, m, n, k, lda, ldb, ldc, add, inside_parallel() ? 1 : thread_count()};
    auto found = products.find(key);
    if (found == products.end()) {
      if (products.size() == kept) products.clear();
      std::optional<OneThread> alone;
      if (inside_parallel()) alone.emplace();
      found = products.try_emplace(key, Type, key).first;
    }
    found->second.run(stream, a, b, c);
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

inline unsigned native_bf16_isa() noexcept { return 0; }
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
