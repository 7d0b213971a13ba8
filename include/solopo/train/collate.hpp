// One preference record laid out for one pass through the model: only the sequences its objective needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "solopo/model/packed_sequences.hpp"
#include "solopo/train/record.hpp"

namespace solopo {

struct CollateOptions {
  Needs needs = Needs::none;  // of the objective
  TrainContext context = TrainContext::short_prompt;
  bool share_prefix = true;  // chosen and rejected continue one copy of their prompt
};

struct Collated {
  PackedSequences sequences;
  // Index among the model's log-probabilities of each role, in the order of response_roles; -1: not needed.
  std::array<std::int32_t, role_count> responses;
};

// Throws ArgumentError when a prompt or response that is needed is empty.
[[nodiscard]] inline Collated collate(const PreferenceRecord& record, const CollateOptions& options,
                                      Side side) {
  using Ids = std::span<const std::int32_t>;
  const Needs needed = roles_on(options.needs, side);
  Collated out;
  out.responses.fill(-1);
  const auto append = [&](Ids prompt, Needs group) {
    std::vector<Ids> responses;
    std::vector<unsigned> places;
    for (unsigned r = 0; r < role_count; ++r) {
      const Needs role = response_roles[r].response;
      if (!has(needed & group, role)) continue;
      responses.push_back(response_of(record, role));
      places.push_back(r);
    }
    if (options.share_prefix && responses.size() > 1) {
      const std::vector<std::int32_t> indices = out.sequences.append_shared(prompt, responses);
      for (std::size_t i = 0; i < places.size(); ++i) out.responses[places[i]] = indices[i];
    } else {
      for (std::size_t i = 0; i < places.size(); ++i) {
        out.responses[places[i]] = out.sequences.append(prompt, responses[i]);
      }
    }
  };
  append(pair_reads_long(options.context, side) ? record.prompt_long : record.prompt, short_roles);
  append(record.prompt_long, long_roles);
  return out;
}

}  // namespace solopo
