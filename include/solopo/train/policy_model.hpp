// What training asks of a language model: log-probabilities of responses, and their gradients.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/model/llama.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo {

// response_logps(s): the summed log-probability of each response, forward only.
// forward(s): the same numbers, bit for bit, keeping what backward needs; s must live until then.
// backward(d, g): adds d(sum_r d[r] * logp[r]) / d weights to g.
template <class M>
concept PolicyModel = requires(M m, const PackedSequences& s, std::span<const float> d, std::span<float> g) {
  { m.response_logps(s) } -> std::convertible_to<std::vector<float>>;
  { m.forward(s) } -> std::convertible_to<std::vector<float>>;
  m.backward(d, g);
};

static_assert(PolicyModel<Llama<float>>);

}  // namespace solopo
