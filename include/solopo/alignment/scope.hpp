// Which responses short-to-long reward alignment compares across the two prompts.
#pragma once

#include <concepts>

namespace solopo {

// A scope says whether the rejected response is aligned as well; the chosen one always is.
template <class S>
concept AlignmentScope = requires {
  { S::rejected } -> std::convertible_to<bool>;
};

// The default, and the paper's: one long forward pass a record.
struct AlignChosen {
  static constexpr bool rejected = false;
};

// For the ablation: one more long forward pass, and it also pulls up bad answers in the long context.
struct AlignBoth {
  static constexpr bool rejected = true;
};

static_assert(AlignmentScope<AlignChosen> && AlignmentScope<AlignBoth>);

}  // namespace solopo
