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
  // Index among the model's log-probabilities of chosen, rejected, chosen_long, rejected_long; -1: not
  // needed.
  std::array<std::int32_t, 4> responses = {-1, -1, -1, -1};
};

// Throws ArgumentError when a prompt or response that is needed is empty.
[[nodiscard]] inline Collated collate(const PreferenceRecord& record, const CollateOptions& options,
                                      Side side) {
  using Ids = std::span<const std::int32_t>;
  const auto roles = static_cast<unsigned>(roles_on(options.needs, side));
  Collated out;
  const auto append = [&](Ids prompt, unsigned first_role) {
    std::vector<Ids> responses;
    std::vector<unsigned> places;
    if ((roles >> first_role & 1u) != 0) {
      responses.push_back(record.chosen);
      places.push_back(first_role);
    }
    if ((roles >> first_role & 2u) != 0) {
      responses.push_back(record.rejected);
      places.push_back(first_role + 1);
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
  append(pair_reads_long(options.context, side) ? record.prompt_long : record.prompt, 0);
  append(record.prompt_long, 2);
  return out;
}

}  // namespace solopo
