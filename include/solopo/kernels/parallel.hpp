// Threads over independent pieces of work: OpenMP where the build has it, one thread otherwise. What a piece
// computes never depends on which thread runs it, so results do not depend on the number of threads.
#pragma once

#include <cstddef>
#include <exception>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace solopo::kernels {

// Threads the next parallel region would use.
inline int thread_count() noexcept {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1;
#endif
}

// Whether the caller is one of several threads at work, so that a loop it starts runs on it alone.
inline bool inside_parallel() noexcept {
#if defined(_OPENMP)
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

// Sets the number of threads for this program; below 1 keeps the present number.
inline void set_thread_count([[maybe_unused]] int threads) noexcept {
#if defined(_OPENMP)
  if (threads > 0) omp_set_num_threads(threads);
#endif
}

// f(i) for i in [0, n), in any order, pieces handed out one by one: for few large pieces of unequal cost.
// The first exception a piece throws is thrown here after all pieces have ended.
template <class F>
void parallel_for(std::ptrdiff_t n, F&& f) {
  std::exception_ptr failure;
#if defined(_OPENMP)
#pragma omp parallel for schedule(dynamic, 1) if (n > 1)
#endif
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    try {
      f(i);
    } catch (...) {
#if defined(_OPENMP)
#pragma omp critical(solopo_parallel_failure)
#endif
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

// f(begin, end) over ranges that cover [0, n): for many cheap elements. A range has at least `grain`
// elements; it is the whole where the caller is one of several threads already.
template <class F>
void parallel_ranges(std::ptrdiff_t n, std::ptrdiff_t grain, F&& f) {
  if (n <= 0) return;
  if (inside_parallel()) return f(std::ptrdiff_t(0), n);
  const std::ptrdiff_t most = (n + grain - 1) / grain, threads = thread_count();
  const std::ptrdiff_t pieces = most < threads ? most : threads;
  parallel_for(pieces, [&](std::ptrdiff_t p) { f(n * p / pieces, n * (p + 1) / pieces); });
}

}  // namespace solopo::kernels
