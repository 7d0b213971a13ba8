// One preference record laid out for one pass through the model: only the sequences its objective needs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "solopo/cost/scheme.hpp"
#include "solopo/model/packed_sequences.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/train/record.hpp"

namespace solopo {

// Through which rows of the long side the gradient flows: all, or those that predict responses, with the
// prompt's keys and values as constants.
using cost::LongGradient;

[[nodiscard]] constexpr std::string_view long_gradient_name(LongGradient gradient) noexcept {
  return gradient == LongGradient::full ? "full" : "response";
}

// In how many passes a record with two sides runs: at once, or its short side without a gradient, then its
// long side, then its short side again, for which the memory of one side is enough.
using cost::Passes;

[[nodiscard]] constexpr std::string_view passes_name(Passes passes) noexcept {
  switch (passes) {
    case Passes::one:
      return "together";
    case Passes::short_side_first:
      return "two-pass";
    case Passes::everything_twice:
      break;
  }
  return "everything-twice";
}

struct CollateOptions {
  Needs needs = Needs::none;  // of the objective
  TrainContext context = TrainContext::short_prompt;
  ThirdResponse third = ThirdResponse::none;  // of the objective
  Statistic statistic = Statistic::none;      // of the objective
  bool share_prefix = true;                   // chosen and rejected continue one copy of their prompt
  LongGradient long_gradient = LongGradient::full;
  Passes passes = Passes::one;  // or short_side_first
};

// How the records of an objective are laid out.
[[nodiscard]] inline CollateOptions collate_options(const AnyObjective& objective,
                                                    TrainContext context = TrainContext::short_prompt,
                                                    bool share_prefix = true,
                                                    LongGradient long_gradient = LongGradient::full,
                                                    Passes passes = Passes::one) {
  return {.needs = objective.needs(),
          .context = context,
          .third = objective.third(),
          .statistic = objective.statistic(),
          .share_prefix = share_prefix,
          .long_gradient = long_gradient,
          .passes = passes};
}

// A log-probability of the model that is the whole or a part of a role's response.
struct ResponsePart {
  unsigned role;       // its place in response_roles
  std::size_t index;   // among the model's log-probabilities
  std::size_t tokens;  // that were scored
  bool is_statistic;   // it is the role's statistic too
};

struct Collated {
  PackedSequences sequences;
  std::vector<ResponsePart> parts;  // a role's log-probability is the sum of its parts
};

// The sequences of the roles in `only`. Throws ArgumentError when a prompt or response that is needed is
// empty.
[[nodiscard]] inline Collated collate(const PreferenceRecord& record, const CollateOptions& options,
                                      Side side, Needs only = short_roles | long_roles) {
  using Ids = std::span<const std::int32_t>;
  const bool reads_sequence = options.third == ThirdResponse::sequence;
  const bool reads_heads = options.statistic == Statistic::head_logp;
  const std::size_t head = std::min(record.chosen.size(), record.rejected.size());
  Needs needed = roles_on(options.needs, side) & only;
  if (reads_sequence) needed = without(needed, Needs::third);
  Collated out;
  std::int32_t chosen = -1;
  const auto add = [&](unsigned role, std::int32_t response, std::size_t tokens) {
    const std::int32_t tail = reads_heads ? out.sequences.split(response, head) : -1;
    const std::size_t rest = tail < 0 ? 0 : tokens - head;
    out.parts.push_back({role, static_cast<std::size_t>(response), tokens - rest, reads_heads});
    if (tail >= 0) out.parts.push_back({role, static_cast<std::size_t>(tail), rest, false});
    if (response_roles[role].response == Needs::chosen) chosen = response;
  };
  const auto append = [&](Ids prompt, Needs group) {
    std::vector<Ids> responses;
    std::vector<unsigned> roles;
    for (unsigned r = 0; r < role_count; ++r) {
      const Needs role = response_roles[r].response;
      if (!has(needed & group, role)) continue;
      responses.push_back(response_of(record, role));
      roles.push_back(r);
    }
    std::vector<std::int32_t> indices;
    const bool read = group == long_roles && options.long_gradient == LongGradient::response;
    const auto place = [&](std::span<const Ids> together) {
      const auto added =
          read ? out.sequences.append_read(prompt, together) : out.sequences.append_shared(prompt, together);
      indices.insert(indices.end(), added.begin(), added.end());
    };
    if (options.share_prefix && !responses.empty()) {
      place(responses);
    } else {
      for (const Ids& response : responses) place({&response, 1});
    }
    for (std::size_t i = 0; i < roles.size(); ++i) add(roles[i], indices[i], responses[i].size());
  };
  const std::vector<std::int32_t>& prompt =
      pair_reads_long(options.context, side) ? record.prompt_long : record.prompt;
  append(prompt, short_roles);
  append(record.prompt_long, long_roles);
  if (reads_sequence && has(only, Needs::chosen)) {
    constexpr unsigned third = role_count - 1;
    static_assert(response_roles[third].response == Needs::third);
    // The reference scores the prompt too, though nothing reads it: its last layer then computes the policy's
    // rows, in the same products with the same bits.
    const std::int32_t scored = out.sequences.score_prompt(chosen);
    if (side == Side::policy) {
      out.parts.push_back({third, static_cast<std::size_t>(chosen), record.chosen.size(), false});
      if (scored >= 0)
        out.parts.push_back({third, static_cast<std::size_t>(scored), prompt.size() - 1, false});
    }
  }
  return out;
}

// The batches in which a record goes through the model, one after the other.
[[nodiscard]] inline std::vector<Collated> collate_passes(const PreferenceRecord& record,
                                                          const CollateOptions& options, Side side) {
  std::vector<Collated> out;
  if (options.passes == Passes::one) {
    out.push_back(collate(record, options, side));
    return out;
  }
  for (const Needs roles : {short_roles, long_roles})
    if (has_any(roles_on(options.needs, side), roles)) out.push_back(collate(record, options, side, roles));
  return out;
}

}  // namespace solopo
