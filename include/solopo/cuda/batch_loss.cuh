// A batch of pairs that lies on a device through an objective: one thread a pair, nothing waits for the host.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <string>

#include "solopo/backends/batch_metrics.hpp"
#include "solopo/cuda/batch_kernels.hpp"
#include "solopo/cuda/batch_report.cuh"

namespace solopo::cuda {

namespace batch_detail {

inline void check_pointer(const void* p, const std::string& name) {
  if (p == nullptr) throw ArgumentError(name, "is null; the objective needs it");
}

template <class T>
void check_pointers(const PairArrays<T>& in, const PairLossArrays<T>& out, Needs needs) {
  const ResponseArrays<T>* const roles[] = {&in.chosen, &in.rejected, &in.chosen_long, &in.rejected_long,
                                            &in.third};
  T* const gradients[] = {out.chosen, out.rejected, out.chosen_long, out.rejected_long, out.third};
  check_pointer(out.loss, "out.loss");
  for (unsigned r = 0; r < role_count; ++r) {
    const std::string name = response_roles[r].name;
    if (has(needs, response_roles[r].response)) {
      check_pointer(roles[r]->logp, name + ".logp");
      check_pointer(roles[r]->length, name + ".length");
      check_pointer(gradients[r], "out." + name);
    }
    if (has(needs, response_roles[r].reference)) check_pointer(roles[r]->ref_logp, name + ".ref_logp");
    if (has(needs, response_roles[r].response | Needs::statistic)) {
      check_pointer(roles[r]->statistic, name + ".statistic");
      check_pointer(out.by_statistic[r], "out.by_statistic of " + name);
    }
    if (has(needs, response_roles[r].reference | Needs::ref_statistic))
      check_pointer(roles[r]->ref_statistic, name + ".ref_statistic");
  }
  if (has(needs, Needs::scores)) {
    check_pointer(in.score_chosen, "score_chosen");
    check_pointer(in.score_rejected, "score_rejected");
  }
  if (has(needs, Needs::label)) check_pointer(in.label, "label");
}

}  // namespace batch_detail

// The loss of every pair, and the derivative of the batch's mean loss by every log-probability, on `stream`.
// `in` and `out` point to device memory, `pairs` numbers each; what the objective does not need may be null,
// and in.mean_length is not read. `count` as in solopo::batch_loss(). Loss and metrics are summed into
// `report`, in a fixed order, and read from there; a bad number (not finite, a length below 1) is noted there
// too, and its pair gets loss and derivatives 0. Does not wait for the device and allocates nothing. Throws
// ArgumentError for a null pointer, no pairs or more than the report has room for; CudaError.
template <ElementwiseObjective O, class T>
void batch_loss(const O& objective, PairArrays<T> in, const PairLossArrays<T>& out, std::size_t pairs,
                BatchReport& report, cudaStream_t stream = nullptr, std::size_t count = 0) {
  batch_detail::check_pointers(in, out, O::needs);
  if (pairs == 0) throw ArgumentError("pairs", "is 0; the batch holds no pairs");
  if (count == 0) count = pairs;
  if (count < pairs) {
    throw ArgumentError("count", std::to_string(count) + " is less than the batch's " +
                                     std::to_string(pairs) + " pairs; it counts the whole optimiser batch");
  }
  const unsigned blocks = report.begin(pairs, count);
  if constexpr (has(O::needs, Needs::mean_length)) {
    T* const mean = report.template mean_length<T>();
    launch_lanes(1, MeanLength<T>{in.chosen.length, pairs, mean}, stream);
    in.mean_length = mean;
  }
  const PairFunctor<O, T> functor{objective, in, out, T(1) / static_cast<T>(count)};
  launch_lanes(blocks, PairLosses<O, T>{functor, pairs, report.blocks(), report.fault()}, stream);
  report.end(blocks, stream);
}

}  // namespace solopo::cuda
