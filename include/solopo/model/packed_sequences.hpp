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
#include "solopo/kernels/attention_tile.hpp"
#include "solopo/kernels/head_target.hpp"

namespace solopo {

struct PackedSequences {
  std::vector<std::int32_t> tokens;     // (S)
  std::vector<std::int32_t> positions;  // (S), 0-based within the sequence a row belongs to
  std::vector<kernels::AttentionTile> tiles;
  std::vector<HeadTarget> targets;  // by response, then by position
  std::int32_t responses = 0;
  // Prompts that are read first, without a gradient, end to end: the rest sees their keys and values.
  std::vector<std::int32_t> read_tokens;  // (K)
  std::vector<std::int32_t> read_ends;    // (prompts), one past each prompt's last row

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
    return append_after(prompt, continuations, 0);
  }

  // The same log-probabilities with the prompt read without a gradient, all but its last row, which predicts
  // every response's first token: the gradient flows through the rows that predict responses only.
  std::vector<std::int32_t> append_read(std::span<const std::int32_t> prompt,
                                        std::span<const std::span<const std::int32_t>> continuations) {
    return append_after(prompt, continuations, prompt.empty() ? 0 : prompt.size() - 1);
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
    for (const kernels::AttentionTile& tile : tiles)
      if (tile.read && tile.q_begin <= last && last < tile.q_end)
        throw ArgumentError("response", "follows a prompt that is read without a gradient: it has no rows");
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
  // The first `read` tokens of the prompt are read, the others have rows.
  std::vector<std::int32_t> append_after(std::span<const std::int32_t> prompt,
                                         std::span<const std::span<const std::int32_t>> continuations,
                                         std::size_t read) {
    if (prompt.empty())
      throw ArgumentError("prompt", "is empty: the first response token has nothing to follow");
    const auto size = [](const auto& of) { return static_cast<std::int32_t>(of.size()); };
    const std::int32_t read_begin = size(read_tokens);
    if (read > 0) {
      read_tokens.insert(read_tokens.end(), prompt.begin(),
                         prompt.begin() + static_cast<std::ptrdiff_t>(read));
      read_ends.push_back(size(read_tokens));
    }
    const std::int32_t begin = size(tokens);
    append_rows(prompt.subspan(read), static_cast<std::int32_t>(read));
    const std::int32_t end = size(tokens);
    const auto see_read = [&](std::int32_t q_begin, std::int32_t q_end) {
      if (read > 0) tiles.push_back({q_begin, q_end, read_begin, read_ends.back(), false, true});
    };
    see_read(begin, end);
    tiles.push_back({begin, end, begin, end, true});
    std::vector<std::int32_t> indices;
    for (std::size_t r = 0; r < continuations.size(); ++r) {
      const std::span<const std::int32_t> response = continuations[r];
      if (response.empty()) throw ArgumentError("response", r, "is empty: there is no token to score");
      const std::int32_t first = size(tokens), rows = size(response) - 1;
      append_rows(response.first(response.size() - 1), size(prompt));
      if (rows > 0) {
        see_read(first, first + rows);
        tiles.push_back({first, first + rows, begin, end, false});
        tiles.push_back({first, first + rows, first, first + rows, true});
      }
      for (std::int32_t i = 0; i <= rows; ++i)
        targets.push_back(
            {i == 0 ? end - 1 : first + i - 1, response[static_cast<std::size_t>(i)], responses});
      indices.push_back(responses++);
    }
    return indices;
  }

  void append_rows(std::span<const std::int32_t> ids, std::int32_t position) {
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    for (std::size_t i = 0; i < ids.size(); ++i) positions.push_back(position++);
  }
};

}  // namespace solopo
