// The work of one prompt with the responses that continue it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "solopo/core/error.hpp"
#include "solopo/cost/work.hpp"

namespace solopo::cost {

// Which rows a sequence has. The last token of a response is predicted but never read, so it needs no row:
// that is what solopo computes (`needed`). The usual arithmetic gives every token a row (`every_token`).
enum class Rows { needed, every_token };

struct PromptWorkOptions {
  Rows rows = Rows::needed;
  // The last layer computes keys and values only for prompt rows whose output nobody reads: all but the last
  // one, which predicts the first token of every response. With Rows::every_token all of them, as the usual
  // formula says.
  bool skip_last_layer = false;
};

// Work of a prompt split by whether rows are differentiated.
struct PromptWork {
  Work differentiated{};  // forward and backward
  Work read{};            // forward only: the prompt under a response-only gradient
};

namespace prompt_work_detail {

constexpr Count rows_of_response(Count tokens, Rows rows) {
  if (tokens < 1) throw ArgumentError("response", "has no token: there is nothing to score");
  return rows == Rows::needed ? tokens - 1 : tokens;
}

constexpr Count require_prompt(Count tokens) {
  if (tokens < 1)
    throw ArgumentError("prompt", "has no token: the first response token has nothing to follow");
  return tokens;
}

// Rows of the prompt that only earlier and later rows' attention reads.
constexpr Count inner_rows(Count prompt, Rows rows) { return rows == Rows::needed ? prompt - 1 : prompt; }

// The rows of the responses: each sees the whole prompt and its own response up to itself.
constexpr Work responses_work(Count prompt, std::span<const Count> responses, Rows rows) {
  Work work;
  for (const Count tokens : responses) {
    const Count own = rows_of_response(tokens, rows);
    work += {.tokens = own, .pairs = sum(product(own, prompt), triangle(own)), .head_rows = tokens};
  }
  return work;
}

}  // namespace prompt_work_detail

// `responses` [tokens each] continue one copy of a prompt [tokens] and do not see each other; every row is
// differentiated. Throws ArgumentError for an empty prompt or response and for counts past 64 bits.
constexpr PromptWork prompt_work(Count prompt, std::span<const Count> responses,
                                 const PromptWorkOptions& options = {}) {
  namespace detail = prompt_work_detail;
  detail::require_prompt(prompt);
  Work work = detail::responses_work(prompt, responses, options.rows);
  work += {.tokens = prompt, .pairs = triangle(prompt)};
  if (options.skip_last_layer) {
    const Count inner = detail::inner_rows(prompt, options.rows);
    work.last_layer_skipped_tokens = inner;
    work.last_layer_skipped_pairs = triangle(inner);
  }
  return {work, {}};
}

// The same rows, but only those that predict a response token are differentiated: the prompt before its last
// row is read, and its keys and values are constants to the gradient. With Rows::every_token the last prompt
// row is read as well and each response's last row is differentiated instead.
constexpr PromptWork response_only_work(Count prompt, std::span<const Count> responses,
                                        const PromptWorkOptions& options = {}) {
  namespace detail = prompt_work_detail;
  detail::require_prompt(prompt);
  const Count inner = detail::inner_rows(prompt, options.rows);
  PromptWork out;
  out.differentiated = detail::responses_work(prompt, responses, options.rows);
  if (options.rows == Rows::needed) out.differentiated += {.tokens = 1, .pairs = prompt};
  out.read = {.tokens = inner, .pairs = triangle(inner)};
  if (options.skip_last_layer) {
    out.read.last_layer_skipped_tokens = inner;
    out.read.last_layer_skipped_pairs = out.read.pairs;
  }
  return out;
}

}  // namespace solopo::cost
