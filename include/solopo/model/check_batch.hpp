// Whether a model can run a batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "solopo/core/error.hpp"
#include "solopo/model/llama_config.hpp"
#include "solopo/model/packed_sequences.hpp"

namespace solopo {

// The longest sequence of the batch, in rows. Throws ArgumentError for a batch without a response, a token
// outside the vocabulary and a sequence longer than the model's context.
inline std::int32_t check_batch(const LlamaConfig& c, const PackedSequences& batch) {
  if (batch.tokens.empty() || batch.targets.empty()) throw ArgumentError("batch", "has no response to score");
  const auto require_token = [&](const char* name, std::size_t i, std::int32_t token) {
    if (token < 0 || token >= c.vocab_size)
      throw ArgumentError(
          name, i, std::to_string(token) + " is not in a vocabulary of " + std::to_string(c.vocab_size));
  };
  std::int32_t longest = 0;
  for (std::size_t i = 0; i < batch.tokens.size(); ++i) {
    require_token("tokens", i, batch.tokens[i]);
    longest = std::max(longest, batch.positions[i] + 1);
  }
  for (std::size_t i = 0; i < batch.targets.size(); ++i) require_token("targets", i, batch.targets[i].token);
  for (std::size_t i = 0; i < batch.read_tokens.size(); ++i)
    require_token("read_tokens", i, batch.read_tokens[i]);
  if (longest > c.max_position_embeddings)
    throw ArgumentError("batch", "a sequence of " + std::to_string(longest) +
                                     " tokens does not fit the model's " +
                                     std::to_string(c.max_position_embeddings));
  return longest;
}

}  // namespace solopo
