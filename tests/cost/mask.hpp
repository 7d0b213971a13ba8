// Records written out row by row, and the mask between all rows, to count work without a formula.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "solopo/cost/scheme.hpp"

namespace solopo::test {

// One row of the model: a token that is read. `prompt_copy` tells copies of prompts apart, `response` those
// that continue one copy (-1: the prompt itself).
struct MaskRow {
  int prompt_copy, response, position;
  bool long_side;
  int targets = 0;         // tokens this row's output predicts and a loss reads
  bool gradient = true;    // differentiated
  bool last_layer = true;  // computed whole in the last layer
};

inline bool sees(const MaskRow& query, const MaskRow& key) {
  if (query.prompt_copy != key.prompt_copy || key.position > query.position) return false;
  return key.response == -1 || key.response == query.response;
}

// The rows of a record under a scheme, one by one, the way the scheme is described: no row for a response's
// last token (unless every token has one).
inline std::vector<MaskRow> mask_rows(const cost::RecordLengths& record, const cost::Scheme& scheme) {
  std::vector<MaskRow> rows;
  int copies = 0, responses = 0;
  const bool every = scheme.rows == cost::Rows::every_token;
  const auto add_prompt = [&](cost::Count tokens, bool long_side) {
    for (int i = 0; i < tokens; ++i) rows.push_back({copies, -1, i, long_side});
    ++copies;
    return rows.size() - 1;  // the row that predicts the first token of every response
  };
  const auto add_response = [&](std::size_t last_prompt_row, cost::Count tokens) {
    const MaskRow before = rows[last_prompt_row];
    // The usual arithmetic credits a prediction to the predicted token's own row.
    if (!every) rows[last_prompt_row].targets += 1;
    for (int i = 0; i < (every ? tokens : tokens - 1); ++i) {
      rows.push_back({before.prompt_copy, responses, before.position + 1 + i, before.long_side});
      rows.back().targets = 1;
    }
    ++responses;
  };
  const auto add_side = [&](cost::Count prompt, std::vector<cost::Count> answers, bool long_side) {
    if (scheme.share_prefix) {
      const std::size_t last = add_prompt(prompt, long_side);
      for (const cost::Count tokens : answers) add_response(last, tokens);
    } else {
      for (const cost::Count tokens : answers) add_response(add_prompt(prompt, long_side), tokens);
    }
  };
  using cost::Sides;
  if (scheme.sides != Sides::pair_long) add_side(record.prompt, {record.chosen, record.rejected}, false);
  if (scheme.sides == Sides::pair_long || scheme.sides == Sides::solopo_both)
    add_side(record.prompt_long, {record.chosen, record.rejected}, true);
  if (scheme.sides == Sides::solopo) add_side(record.prompt_long, {record.chosen}, true);

  for (MaskRow& row : rows) {
    const bool inner = row.response == -1 && row.targets == 0;
    if (inner && row.long_side && scheme.long_gradient == cost::LongGradient::response) row.gradient = false;
    if (inner && scheme.skip_last_layer) row.last_layer = false;
  }
  return rows;
}

// The work of those rows for which `counts` holds.
template <class Counts>
cost::Work count_rows(const std::vector<MaskRow>& rows, Counts counts) {
  cost::Work work;
  for (const MaskRow& query : rows) {
    if (!counts(query)) continue;
    work.tokens += 1;
    work.head_rows += query.targets;
    if (!query.last_layer) work.last_layer_skipped_tokens += 1;
    for (const MaskRow& key : rows) {
      if (!sees(query, key)) continue;
      work.pairs += 1;
      if (!query.last_layer) work.last_layer_skipped_pairs += 1;
    }
  }
  return work;
}

}  // namespace solopo::test
