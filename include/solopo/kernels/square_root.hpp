// Square roots of many numbers. std::sqrt may set errno, so compilers leave a loop over it scalar; the
// processor's own instruction on whole vectors gives the same bits (IEEE 754 rounds it correctly).
#pragma once

#include <cmath>
#include <cstddef>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace solopo::kernels {

// roots (n) of x (n), each 0 or more; NaN of a negative one.
inline void square_roots(const float* x, float* roots, std::size_t n) noexcept {
  std::size_t i = 0;
#if defined(__AVX__)
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(roots + i, _mm256_sqrt_ps(_mm256_loadu_ps(x + i)));
#elif defined(__SSE2__)
  for (; i + 4 <= n; i += 4) _mm_storeu_ps(roots + i, _mm_sqrt_ps(_mm_loadu_ps(x + i)));
#elif defined(__aarch64__)
  for (; i + 4 <= n; i += 4) vst1q_f32(roots + i, vsqrtq_f32(vld1q_f32(x + i)));
#endif
  for (; i < n; ++i) roots[i] = std::sqrt(x[i]);
}

}  // namespace solopo::kernels
