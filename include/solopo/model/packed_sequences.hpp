// Sequences laid end to end for one pass through the model: no padding, and a prompt that several responses
// share is there once. A response's last token is predicted but never read, so it has no row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "solopo/core/error.hpp"
#include "solopo/kernels/attention.hpp"
#include "solopo/kernels/head_target.hpp"

namespace solopo {

struct PackedSequences {
  std::vector<std::int32_t> tokens;     // (S)
  std::vector<std::int32_t> positions;  // (S), 0-based within the sequence a row belongs to
  std::vector<kernels::AttentionTile> tiles;
  std::vector<HeadTarget> targets;  // by response, then by position
  std::int32_t responses = 0;

  // Appends [prompt | response] on its own; returns the response's index.
  // Throws ArgumentError when the prompt or the response is empty.
  std::int32_t append(std::span<const std::int32_t> prompt, std::span<const std::int32_t> response) {
    const std::span<const std::int32_t> one[] = {response};
    return append_shared(prompt, one).front();
  }

  // Appends a prompt and several responses that each continue it and do not see each other. Exactly the same
  // numbers as append() of each, at the cost of one prompt. Throws ArgumentError when the prompt or a
  // response is empty.
  std::vector<std::int32_t> append_shared(std::span<const std::int32_t> prompt,
                                          std::span<const std::span<const std::int32_t>> continuations) {
    if (prompt.empty())
      throw ArgumentError("prompt", "is empty: the first response token has nothing to follow");
    const auto begin = static_cast<std::int32_t>(tokens.size());
    const auto length = static_cast<std::int32_t>(prompt.size());
    append_rows(prompt, 0);
    tiles.push_back({begin, begin + length, begin, begin + length, true});
    std::vector<std::int32_t> indices;
    for (std::size_t r = 0; r < continuations.size(); ++r) {
      const std::span<const std::int32_t> response = continuations[r];
      if (response.empty()) throw ArgumentError("response", r, "is empty: there is no token to score");
      const auto first = static_cast<std::int32_t>(tokens.size());
      const auto rows = static_cast<std::int32_t>(response.size()) - 1;
      append_rows(response.first(response.size() - 1), length);
      if (rows > 0) {
        tiles.push_back({first, first + rows, begin, begin + length, false});
        tiles.push_back({first, first + rows, first, first + rows, true});
      }
      for (std::int32_t i = 0; i <= rows; ++i)
        targets.push_back(
            {i == 0 ? begin + length - 1 : first + i - 1, response[static_cast<std::size_t>(i)], responses});
      indices.push_back(responses++);
    }
    return indices;
  }

  // Scores the prompt of a response, from its second token on, as a response of its own and returns its
  // index; -1, and no change, when the prompt is one token. No row is added: only more of them are scored.
  std::int32_t score_prompt(std::int32_t response) {
    const auto first = std::find_if(targets.begin(), targets.end(),
                                    [&](const HeadTarget& target) { return target.response == response; });
    if (first == targets.end())
      throw ArgumentError("response",
                          std::to_string(response) + " is not one of " + std::to_string(responses));
    const std::int32_t last = first->row, begin = last - positions[static_cast<std::size_t>(last)];
    if (begin == last) return -1;
    for (std::int32_t row = begin; row < last; ++row)
      targets.push_back({row, tokens[static_cast<std::size_t>(row) + 1], responses});
    return responses++;
  }

  // Makes the tokens of a response from `head` on a response of their own and returns its index; -1, and no
  // change, when it has no more than `head` tokens. Only the sums differ, not what is computed.
  std::int32_t split(std::int32_t response, std::size_t head) {
    std::int32_t tail = -1;
    std::size_t seen = 0;
    for (HeadTarget& target : targets) {
      if (target.response != response || seen++ < head) continue;
      if (tail < 0) tail = responses++;
      target.response = tail;
    }
    return tail;
  }

 private:
  void append_rows(std::span<const std::int32_t> ids, std::int32_t position) {
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    for (std::size_t i = 0; i < ids.size(); ++i) positions.push_back(position++);
  }
};

}  // namespace solopo
