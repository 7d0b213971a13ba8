// A preference record as training reads it: token ids of up to two prompts and three responses; and which
// prompt each role of an objective is computed under.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/core/response.hpp"

namespace solopo {

// The prompt under which a record's responses were sampled.
enum class SampledFrom { unknown, short_prompt, long_prompt };

struct PreferenceRecord {
  std::string id;
  std::vector<std::int32_t> prompt;       // the short slot; empty when no role reads it
  std::vector<std::int32_t> prompt_long;  // empty when no role reads it
  std::vector<std::int32_t> chosen;       // ends with the end-of-turn token unless it was cut in sampling
  std::vector<std::int32_t> rejected;     // the same; empty when no role reads it
  std::vector<std::int32_t> third;        // see ThirdResponse; empty when no role reads it
  float score_chosen = 0, score_rejected = 0;
  float label = 0;  // above 0: chosen is desirable, else it is not; of records with one response
  SampledFrom sampled_from = SampledFrom::unknown;
  bool gold_chosen = false;  // chosen is the data set's answer, not a sample
};

// The response that a role computes.
[[nodiscard]] inline const std::vector<std::int32_t>& response_of(const PreferenceRecord& record,
                                                                  Needs role) noexcept {
  if (role == Needs::third) return record.third;
  return has_any(role, Needs::chosen | Needs::chosen_long) ? record.chosen : record.rejected;
}

// Which prompt feeds the roles chosen, rejected and third (arXiv 2505.11166, section 4: the baselines). The
// roles chosen_long and rejected_long read the long prompt always.
//                                     policy   reference
enum class TrainContext {
  short_prompt,  // Short-PO and SoLoPO  short    short
  long_prompt,   // Long-PO              long     long        pairs sampled from the long prompt
  expand,        // Expand-Long          long     long        pairs sampled from the short prompt
  longpo         // LongPO               long     short       arXiv 2502.13922
};

[[nodiscard]] inline std::optional<TrainContext> find_train_context(std::string_view name) noexcept {
  if (name == "short") return TrainContext::short_prompt;
  if (name == "long") return TrainContext::long_prompt;
  if (name == "expand") return TrainContext::expand;
  if (name == "longpo") return TrainContext::longpo;
  return std::nullopt;
}

[[nodiscard]] constexpr std::string_view train_context_name(TrainContext context) noexcept {
  switch (context) {
    case TrainContext::short_prompt:
      return "short";
    case TrainContext::long_prompt:
      return "long";
    case TrainContext::expand:
      return "expand";
    case TrainContext::longpo:
      break;
  }
  return "longpo";
}

enum class Side { policy, reference };

// Whether chosen, rejected and third are computed under the long prompt.
[[nodiscard]] constexpr bool pair_reads_long(TrainContext context, Side side) noexcept {
  switch (context) {
    case TrainContext::short_prompt:
      return false;
    case TrainContext::longpo:
      return side == Side::policy;
    case TrainContext::long_prompt:
    case TrainContext::expand:
      break;
  }
  return true;
}

inline constexpr Needs long_roles = Needs::chosen_long | Needs::rejected_long;
inline constexpr Needs short_roles = Needs::chosen | Needs::rejected | Needs::third;

// The roles whose forwards must run on a side: bits chosen ... third, also for the reference. Where the
// reference runs at all it runs every role of the policy, in the same layout: the same arithmetic, so that
// an untrained policy and its reference agree to the last bit.
[[nodiscard]] constexpr Needs roles_on(Needs needs, Side side) noexcept {
  const Needs policy = responses_of(needs);
  if (side == Side::policy) return policy;
  return needs_reference(needs) ? referenced(needs) | policy : Needs::none;
}

// Whether any role on any side reads the short or the long prompt.
[[nodiscard]] constexpr bool reads_prompt(Needs needs, TrainContext context, bool long_prompt) noexcept {
  for (const Side side : {Side::policy, Side::reference}) {
    const Needs roles = roles_on(needs, side);
    if (has_any(roles, short_roles) && pair_reads_long(context, side) == long_prompt) return true;
    if (has_any(roles, long_roles) && long_prompt) return true;
  }
  return false;
}

}  // namespace solopo
