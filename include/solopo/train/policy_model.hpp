// What training asks of a language model: log-probabilities of responses, and their gradients.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/model/llama.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo {

// response_logps(s, q): the summed log-probability of each response, forward only; statistics() then has the
// sum of what q asks for of each token.
// forward(s, q): the same numbers, bit for bit, keeping what backward needs; s must live until then.
// backward(d, g, e): adds d(sum_r d[r] * logp[r] + e[r] * statistic[r]) / d weights to g.
template <class M>
concept PolicyModel = requires(M m, const PackedSequences& s, const kernels::RowStatistic<float>& q,
                               std::span<const float> d, std::span<float> g) {
  { m.response_logps(s, q) } -> std::convertible_to<std::vector<float>>;
  { m.forward(s, q) } -> std::convertible_to<std::vector<float>>;
  { m.statistics() } -> std::convertible_to<std::span<const float>>;
  m.backward(d, g, d);
};

static_assert(PolicyModel<Llama<float>>);

}  // namespace solopo
