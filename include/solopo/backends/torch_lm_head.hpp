// The language-model head over libtorch's tensors, with gradients: no (rows, vocabulary) tensor ever exists.
#pragma once

#include <utility>
#include <vector>

#include "solopo/backends/lm_head.hpp"
#include "solopo/backends/torch.hpp"

namespace solopo {

namespace torch_detail {

// Pointer and extents of a tensor whose layout has been checked.
template <class T>
MatrixView<const T> matrix_of(const at::Tensor& t) {
  return dense<const T>(t.template data_ptr<T>(), t.size(0), t.size(1));
}

template <class Product>
struct HeadFunction : ::torch::autograd::Function<HeadFunction<Product>> {
  using Context = ::torch::autograd::AutogradContext;
  using Tensors = ::torch::autograd::variable_list;

  static at::Tensor forward(Context* context, const at::Tensor& hidden, const at::Tensor& head,
                            std::vector<HeadTarget> targets, std::int64_t responses) {
    return dispatch(hidden, [&]<class T>(T) {
      const HeadLogps<T> out = head_logps<Product>(matrix_of<T>(hidden), matrix_of<T>(head), targets,
                                                   static_cast<std::size_t>(responses));
      context->save_for_backward({hidden, head, tensor_of(out.log_sum_exp)});
      std::vector<std::int64_t> numbers;
      for (const HeadTarget& t : targets) numbers.insert(numbers.end(), {t.row, t.token, t.response});
      context->saved_data["targets"] = numbers;
      return tensor_of(out.logps);
    });
  }

  static Tensors backward(Context* context, const Tensors& by_logps) {
    refuse_second_derivatives();
    const Tensors saved = context->get_saved_variables();
    const auto numbers = context->saved_data["targets"].toIntVector();
    std::vector<HeadTarget> targets;
    for (std::size_t i = 0; i + 2 < numbers.size(); i += 3)
      targets.push_back({static_cast<std::int32_t>(numbers[i]), static_cast<std::int32_t>(numbers[i + 1]),
                         static_cast<std::int32_t>(numbers[i + 2])});
    const at::Tensor dlogps = by_logps[0].contiguous();
    const at::Tensor dhidden = at::empty_like(saved[0]), dhead = at::zeros_like(saved[1]);
    dispatch(saved[0], [&]<class T>(T) {
      HeadLogps<T> forward;
      forward.log_sum_exp.assign(saved[2].template data_ptr<T>(),
                                 saved[2].template data_ptr<T>() + saved[2].numel());
      head_logps_backward<Product>(
          matrix_of<T>(saved[0]), matrix_of<T>(saved[1]), targets, forward,
          std::span<const T>(dlogps.template data_ptr<T>(), static_cast<std::size_t>(dlogps.numel())),
          dense(dhidden.template data_ptr<T>(), dhidden.size(0), dhidden.size(1)),
          dense(dhead.template data_ptr<T>(), dhead.size(0), dhead.size(1)));
      return at::Tensor{};
    });
    return {dhidden, dhead, at::Tensor{}, at::Tensor{}};
  }

 private:
  template <class F>
  static at::Tensor dispatch(const at::Tensor& t, F&& f) {
    return t.scalar_type() == at::kFloat ? f(float{}) : f(double{});
  }
};

}  // namespace torch_detail

// head_logps() of hidden (S, C) and head (V, C), both contiguous on the CPU and float or double: the summed
// log-probability of each of `responses` responses, (responses), with gradients to both. Throws ArgumentError
// naming the argument.
template <class Product = kernels::DefaultProduct>
[[nodiscard]] at::Tensor torch_head_logps(const at::Tensor& hidden, const at::Tensor& head,
                                          std::vector<HeadTarget> targets, std::int64_t responses) {
  if (targets.empty()) throw ArgumentError("targets", "are none: no row predicts a token");
  const at::ScalarType type = torch_detail::require_floating(hidden, "hidden");
  torch_detail::require_floating(head, "head");
  torch_detail::require_layout(hidden, "hidden", 2, type);
  torch_detail::require_layout(head, "head", 2, type);
  return torch_detail::HeadFunction<Product>::apply(hidden, head, std::move(targets), responses);
}

}  // namespace solopo
