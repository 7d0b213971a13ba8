// libtorch's tensors on a CUDA device: the preference loss of backends/torch.hpp, evaluated where they lie.
// For sources in the language CUDA and a libtorch that was built with it.
#pragma once

#include "solopo/backends/torch.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "solopo/cuda/batch_loss.cuh"

namespace solopo::cuda {

namespace torch_detail {

inline void require_tensor(const at::Tensor& t, const std::string& name, at::ScalarType type,
                           std::int64_t pairs) {
  if (!t.defined()) throw ArgumentError(name, "is undefined; the objective needs it");
  if (!t.is_cuda()) {
    throw ArgumentError(name,
                        "is on " + t.device().str() +
                            ", expected a CUDA device; solopo::preference_loss() takes tensors on the CPU");
  }
  if (t.scalar_type() != type) {
    throw ArgumentError(name, std::string("is ") + at::toString(t.scalar_type()) + ", expected " +
                                  at::toString(type) + " as the log-probabilities are");
  }
  if (t.dim() != 1 || t.size(0) != pairs) {
    throw ArgumentError(name, "has shape " + solopo::torch_detail::shape_of(t) + ", expected (" +
                                  std::to_string(pairs) + ")");
  }
  if (!t.is_contiguous()) throw ArgumentError(name, "is not contiguous; call .contiguous()");
}

}  // namespace torch_detail

// Throws ArgumentError unless every tensor that `needs` names lies contiguous on a CUDA device, (B), all
// float or all double. Returns the number of pairs B.
inline std::int64_t check_device_batch(const TorchPairs& pairs, Needs needs) {
  using torch_detail::require_tensor;
  const TorchResponses* first = nullptr;
  std::string name;
  for (unsigned r = role_count; r-- > 0;) {
    if (!has(needs, response_roles[r].response)) continue;
    first = &(pairs.*solopo::torch_detail::roles[r]);
    name = std::string(response_roles[r].name) + ".logp";
  }
  if (first == nullptr) throw ArgumentError("pairs", "the objective reads no response");
  const at::ScalarType type = solopo::torch_detail::require_floating(first->logp, name);
  const std::int64_t count = first->logp.dim() == 1 ? first->logp.size(0) : 0;
  for (unsigned r = 0; r < role_count; ++r) {
    const TorchResponses& y = pairs.*solopo::torch_detail::roles[r];
    const Needs response = response_roles[r].response, reference = response_roles[r].reference;
    const std::string role = response_roles[r].name;
    if (has(needs, response)) {
      require_tensor(y.logp, role + ".logp", type, count);
      require_tensor(y.length, role + ".length", type, count);
    }
    if (has(needs, reference)) require_tensor(y.ref_logp, role + ".ref_logp", type, count);
    if (has(needs, response | Needs::statistic))
      require_tensor(y.statistic, role + ".statistic", type, count);
    if (has(needs, reference | Needs::ref_statistic))
      require_tensor(y.ref_statistic, role + ".ref_statistic", type, count);
  }
  if (has(needs, Needs::scores)) {
    require_tensor(pairs.score_chosen, "score_chosen", type, count);
    require_tensor(pairs.score_rejected, "score_rejected", type, count);
  }
  if (has(needs, Needs::label)) require_tensor(pairs.label, "label", type, count);
  return count;
}

namespace torch_detail {

template <class T>
T* pointer(const at::Tensor& t) {
  return t.defined() ? t.template data_ptr<T>() : nullptr;
}

// The mean loss, on the device; the derivatives by the differentiable tensors, in their order.
template <class T, class O>
at::Tensor evaluate(const O& objective, const TorchPairs& pairs, std::int64_t count, BatchReport& report,
                    cudaStream_t stream, std::vector<at::Tensor>& derivatives) {
  const auto role = [](const TorchResponses& y) {
    return ResponseArrays<T>{pointer<T>(y.logp), pointer<T>(y.ref_logp), pointer<T>(y.length),
                             pointer<T>(y.statistic), pointer<T>(y.ref_statistic)};
  };
  const PairArrays<T> in{role(pairs.chosen),
                         role(pairs.rejected),
                         role(pairs.chosen_long),
                         role(pairs.rejected_long),
                         role(pairs.third),
                         pointer<T>(pairs.score_chosen),
                         pointer<T>(pairs.score_rejected),
                         pointer<T>(pairs.label)};
  at::Tensor loss;
  T* gradients[role_count] = {};
  PairLossArrays<T> out;
  solopo::torch_detail::each_differentiable(
      pairs, O::needs, [&](const at::Tensor& t, unsigned r, bool is_statistic) {
        if (!loss.defined()) loss = at::empty_like(t.detach());
        derivatives.push_back(at::empty_like(t.detach()));
        (is_statistic ? out.by_statistic[r] : gradients[r]) = pointer<T>(derivatives.back());
      });
  out.loss = pointer<T>(loss);
  out.chosen = gradients[0];
  out.rejected = gradients[1];
  out.chosen_long = gradients[2];
  out.rejected_long = gradients[3];
  out.third = gradients[4];
  batch_loss(objective, in, out, static_cast<std::size_t>(count), report, stream);
  return loss.mean();
}

template <class O>
struct PreferenceFunction : ::torch::autograd::Function<PreferenceFunction<O>> {
  using Context = ::torch::autograd::AutogradContext;
  using Tensors = ::torch::autograd::variable_list;

  static at::Tensor forward(Context* context, const O& objective, const TorchPairs& pairs,
                            BatchReport* report, cudaStream_t stream, at::TensorList inputs) {
    const std::int64_t count = check_device_batch(pairs, O::needs);
    Tensors derivatives;
    const at::Tensor loss = inputs.front().scalar_type() == at::kFloat
                                ? evaluate<float>(objective, pairs, count, *report, stream, derivatives)
                                : evaluate<double>(objective, pairs, count, *report, stream, derivatives);
    context->save_for_backward(derivatives);
    return loss;
  }

  static Tensors backward(Context* context, const Tensors& by_loss) {
    solopo::torch_detail::refuse_second_derivatives();
    Tensors out(4);  // objective, pairs, report, stream
    for (const at::Tensor& derivative : context->get_saved_variables())
      out.push_back(derivative * by_loss[0]);
    return out;
  }
};

}  // namespace torch_detail

// The mean loss of a batch on a CUDA device, as a tensor () there that autograd knows. Everything is queued
// on `stream`, which must be the one libtorch works on; the host waits for nothing. Metrics and bad inputs
// are in `report`. Lengths and labels must have the type of the log-probabilities. Throws ArgumentError
// naming the tensor; CudaError.
template <ElementwiseObjective O>
[[nodiscard]] at::Tensor preference_loss(const O& objective, const TorchPairs& pairs, BatchReport& report,
                                         cudaStream_t stream = nullptr) {
  (void)check_device_batch(pairs, O::needs);
  ::torch::autograd::variable_list inputs;
  solopo::torch_detail::each_differentiable(
      pairs, O::needs, [&](const at::Tensor& t, unsigned, bool) { inputs.push_back(t); });
  return torch_detail::PreferenceFunction<O>::apply(objective, pairs, &report, stream,
                                                    at::TensorList(inputs));
}

}  // namespace solopo::cuda
