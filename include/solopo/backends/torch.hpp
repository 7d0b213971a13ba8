// libtorch's tensors: a preference loss that a training loop uses in place of its own, in one line.
#pragma once

// First: clang 14 does not compile libtorch 1.13's headers as C++20 in another order.
#include <torch/csrc/autograd/custom_function.h>

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/backends/batch_loss.hpp"
#include "solopo/core/error.hpp"

namespace solopo {

// One role of a batch of B pairs, each tensor (B): see Response for units. What the objective does not need
// may stay undefined. Gradients flow to logp and statistic.
struct TorchResponses {
  at::Tensor logp{}, ref_logp{}, length{}, statistic{}, ref_statistic{};
};

struct TorchPairs {
  TorchResponses chosen{}, rejected{}, chosen_long{}, rejected_long{}, third{};
  at::Tensor score_chosen{}, score_rejected{}, label{};  // (B) see Pair
};

// From token log-probabilities (B, T) and a mask (B, T) that is 1 (or true) at response tokens: their sums
// and counts. ref_token_logps (B, T) may stay undefined. Gradients flow on to token_logps.
// What stands at masked places is not looked at; sums are made in double. Throws ArgumentError for undefined
// tensors and shapes that differ.
[[nodiscard]] inline TorchResponses torch_responses(const at::Tensor& token_logps, const at::Tensor& mask,
                                                    const at::Tensor& ref_token_logps = {}) {
  const auto require = [&](const at::Tensor& t, const char* name) {
    if (!t.defined()) throw ArgumentError(name, "is undefined");
    if (t.sizes() != token_logps.sizes())
      throw ArgumentError(name, "has " + std::to_string(t.numel()) + " elements where token_logps has " +
                                    std::to_string(token_logps.numel()) + "; both must be (B, T)");
  };
  require(token_logps, "token_logps");
  require(mask, "mask");
  const at::ScalarType type = token_logps.scalar_type();
  const at::Tensor outside = mask.eq(0);
  const auto summed = [&](const at::Tensor& t) {
    return t.masked_fill(outside, 0).sum(at::IntArrayRef{-1}, false, at::kDouble).to(type);
  };
  TorchResponses out;
  out.logp = summed(token_logps);
  out.length = outside.logical_not().sum(at::IntArrayRef{-1}).to(type);
  if (ref_token_logps.defined()) {
    require(ref_token_logps, "ref_token_logps");
    out.ref_logp = summed(ref_token_logps).detach();
  }
  return out;
}

namespace torch_detail {

inline std::string shape_of(const at::Tensor& t) {
  std::string out = "(";
  for (std::int64_t i = 0; i < t.dim(); ++i) out += (i ? ", " : "") + std::to_string(t.size(i));
  return out + ")";
}

// Where a component for another device would take over: what is not on the CPU is refused, never copied.
inline void require_cpu(const at::Tensor& t, const std::string& name) {
  if (t.device().is_cpu()) return;
  throw ArgumentError(name, "is on " + t.device().str() +
                                "; this function reads tensors on the CPU and makes no hidden copy, call "
                                ".cpu() or use solopo::cuda::preference_loss()");
}

inline void require_layout(const at::Tensor& t, const std::string& name, std::int64_t dimensions,
                           at::ScalarType type) {
  require_cpu(t, name);
  if (t.layout() != at::kStrided) throw ArgumentError(name, "is not dense; call .to_dense()");
  if (t.scalar_type() != type) {
    throw ArgumentError(name, std::string("is ") + at::toString(t.scalar_type()) + ", expected " +
                                  at::toString(type) + " as the log-probabilities are");
  }
  if (t.dim() != dimensions) {
    throw ArgumentError(name, "has shape " + shape_of(t) + ", expected " + std::to_string(dimensions) +
                                  (dimensions == 1 ? " dimension" : " dimensions"));
  }
  if (!t.is_contiguous()) throw ArgumentError(name, "is not contiguous; call .contiguous()");
}

inline at::ScalarType require_floating(const at::Tensor& t, const std::string& name) {
  if (!t.defined()) throw ArgumentError(name, "is undefined; the objective needs it");
  const at::ScalarType type = t.scalar_type();
  if (type == at::kFloat || type == at::kDouble) return type;
  throw ArgumentError(name, std::string("is ") + at::toString(type) + ", expected Float or Double");
}

// The gradients are numbers, not functions of the log-probabilities.
inline void refuse_second_derivatives() {
  if (!at::GradMode::is_enabled()) return;
  throw ArgumentError("create_graph", "must be false: second derivatives would be silently incomplete");
}

inline constexpr TorchResponses TorchPairs::*roles[role_count] = {
    &TorchPairs::chosen, &TorchPairs::rejected, &TorchPairs::chosen_long, &TorchPairs::rejected_long,
    &TorchPairs::third};

// The tensor's numbers where they lie; none of one that is undefined. Lengths may be whole numbers of any
// type: they are converted into `kept`.
template <class T>
std::span<const T> numbers(const at::Tensor& t, const std::string& name, std::vector<at::Tensor>& kept,
                           bool is_count = false) {
  if (!t.defined()) return {};
  constexpr at::ScalarType type = sizeof(T) == 4 ? at::kFloat : at::kDouble;
  if (is_count && !at::isFloatingType(t.scalar_type())) {
    require_cpu(t, name);
    kept.push_back(t.to(type));
    return numbers<T>(kept.back(), name, kept);
  }
  require_layout(t, name, 1, type);
  return {t.template data_ptr<T>(), static_cast<std::size_t>(t.numel())};
}

template <class T>
PairBatch<std::span<const T>> batch_of(const TorchPairs& pairs, Needs needs, std::vector<at::Tensor>& kept) {
  PairBatch<std::span<const T>> out;
  const auto asked = [&](Needs bits, const at::Tensor& t, const std::string& name, bool is_count = false) {
    return has(needs, bits) ? numbers<T>(t, name, kept, is_count) : std::span<const T>{};
  };
  for (unsigned r = 0; r < role_count; ++r) {
    const TorchResponses& from = pairs.*roles[r];
    const std::string role = response_roles[r].name;
    const Needs response = response_roles[r].response, reference = response_roles[r].reference;
    out.*batch_detail::role_of_batch<std::span<const T>>[r] = {
        asked(response, from.logp, role + ".logp"), asked(reference, from.ref_logp, role + ".ref_logp"),
        asked(response, from.length, role + ".length", true),
        asked(response | Needs::statistic, from.statistic, role + ".statistic"),
        asked(reference | Needs::ref_statistic, from.ref_statistic, role + ".ref_statistic")};
  }
  out.score_chosen = asked(Needs::scores, pairs.score_chosen, "score_chosen");
  out.score_rejected = asked(Needs::scores, pairs.score_rejected, "score_rejected");
  out.label = asked(Needs::label, pairs.label, "label", true);
  return out;
}

template <class T>
at::Tensor tensor_of(const std::vector<T>& v) {
  if (v.empty()) return {};
  const at::Tensor out = at::empty({static_cast<std::int64_t>(v.size())},
                                   at::device(at::kCPU).dtype(sizeof(T) == 4 ? at::kFloat : at::kDouble));
  std::copy(v.begin(), v.end(), out.template data_ptr<T>());
  return out;
}

// Calls each(tensor, role, is_statistic) for the tensors that gradients flow to.
template <class Each>
void each_differentiable(const TorchPairs& pairs, Needs needs, Each&& each) {
  for (unsigned r = 0; r < role_count; ++r) {
    const Needs response = response_roles[r].response;
    if (has(needs, response)) each((pairs.*roles[r]).logp, r, false);
    if (has(needs, response | Needs::statistic)) each((pairs.*roles[r]).statistic, r, true);
  }
}

// Loss, and its derivatives by the differentiable tensors, in that order.
template <class T, class O>
at::Tensor evaluate(const O& objective, const TorchPairs& pairs, const StateOf<O>& state, std::size_t count,
                    BatchMetrics* metrics, std::vector<at::Tensor>& derivatives) {
  std::vector<at::Tensor> kept;
  kept.reserve(2 * role_count);
  const auto out = batch_loss(objective, batch_of<T>(pairs, needs_of(objective), kept), state, count);
  each_differentiable(pairs, needs_of(objective), [&](const at::Tensor&, unsigned r, bool is_statistic) {
    derivatives.push_back(tensor_of(is_statistic ? out.by_statistic[r]
                                                 : out.*batch_detail::role_of_gradient<std::vector<T>>[r]));
  });
  if (metrics) *metrics = out.metrics;
  return at::scalar_tensor(out.loss, at::device(at::kCPU).dtype(sizeof(T) == 4 ? at::kFloat : at::kDouble));
}

// `inputs` are the differentiable tensors of `pairs` again, by which autograd sees where gradients go.
template <class O>
struct PreferenceFunction : ::torch::autograd::Function<PreferenceFunction<O>> {
  using Context = ::torch::autograd::AutogradContext;
  using Tensors = ::torch::autograd::variable_list;

  static at::Tensor forward(Context* context, const O& objective, const TorchPairs& pairs,
                            const StateOf<O>& state, std::size_t count, BatchMetrics* metrics,
                            at::TensorList inputs) {
    Tensors derivatives;
    const at::Tensor loss = inputs.front().scalar_type() == at::kFloat
                                ? evaluate<float>(objective, pairs, state, count, metrics, derivatives)
                                : evaluate<double>(objective, pairs, state, count, metrics, derivatives);
    context->save_for_backward(derivatives);
    return loss;
  }

  static Tensors backward(Context* context, const Tensors& by_loss) {
    refuse_second_derivatives();
    Tensors out(5);  // objective, pairs, state, count, metrics
    for (const at::Tensor& derivative : context->get_saved_variables())
      out.push_back(derivative * by_loss[0]);
    return out;
  }
};

}  // namespace torch_detail

// What a preference loss may be told besides its batch.
template <class O>
struct PreferenceLossOptions {
  StateOf<O> state{};               // of objectives that carry one from batch to batch: next_state()
  std::size_t count = 0;            // as batch_loss()
  BatchMetrics* metrics = nullptr;  // filled when set
};

// batch_loss() of tensors that lie on the CPU, contiguous, (B), all float or all double: the mean loss as a
// tensor () that autograd knows. Its gradients are the objective's analytic ones. Reads the tensors where
// they lie. Throws ArgumentError naming the tensor and what is wrong with it.
template <class O>
requires(BatchObjective<O, float>&& BatchObjective<O, double>) [[nodiscard]] at::Tensor
    preference_loss(const O& objective, const TorchPairs& pairs, const PreferenceLossOptions<O>& options) {
  ::torch::autograd::variable_list inputs;
  torch_detail::each_differentiable(
      pairs, needs_of(objective), [&](const at::Tensor& t, unsigned r, bool is_statistic) {
        torch_detail::require_floating(
            t, std::string(response_roles[r].name) + (is_statistic ? ".statistic" : ".logp"));
        inputs.push_back(t);
      });
  return torch_detail::PreferenceFunction<O>::apply(objective, pairs, options.state, options.count,
                                                    options.metrics, at::TensorList(inputs));
}

template <class O>
requires(BatchObjective<O, float>&& BatchObjective<O, double>) [[nodiscard]] at::Tensor
    preference_loss(const O& objective, const TorchPairs& pairs) {
  return preference_loss(objective, pairs, PreferenceLossOptions<O>{.state = initial_state(objective)});
}

// What an objective carries on after training has seen this batch: next_state() of tensors, for the
// options' state of the same batch. Throws as preference_loss().
template <class O>
requires(BatchObjective<O, float>&& BatchObjective<O, double>)
    [[nodiscard]] StateOf<O> next_state(const O& objective, const TorchPairs& pairs,
                                        const StateOf<O>& state) {
  const Needs needs = needs_of(objective);
  at::ScalarType type = at::kFloat;
  torch_detail::each_differentiable(pairs, needs, [&](const at::Tensor& t, unsigned r, bool is_statistic) {
    if (!is_statistic)
      type = torch_detail::require_floating(t, std::string(response_roles[r].name) + ".logp");
  });
  std::vector<at::Tensor> kept;
  kept.reserve(2 * role_count);
  if (type == at::kFloat)
    return next_state(objective, torch_detail::batch_of<float>(pairs, needs, kept), state);
  return next_state(objective, torch_detail::batch_of<double>(pairs, needs, kept), state);
}

}  // namespace solopo
