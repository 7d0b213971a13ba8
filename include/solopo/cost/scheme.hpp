// The ways of computing one preference record, and what each costs: which prompts and responses run, what
// they share, what is differentiated, what runs more than once, and how many tokens' activations live
// together.
//   V   = {.sides = Sides::pair_long}            S   = {.sides = Sides::solopo}
//   +PS = .share_prefix   +LL = .skip_last_layer   +RO = .long_gradient = LongGradient::response
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "solopo/core/error.hpp"
#include "solopo/cost/prompt_work.hpp"
#include "solopo/cost/work.hpp"

namespace solopo::cost {

// Lengths of a record [tokens].
struct RecordLengths {
  Count prompt = 0, prompt_long = 0, chosen = 0, rejected = 0;
};

// Which sequences a loss reads (arXiv 2505.11166).
enum class Sides {
  pair_short,  // chosen and rejected under the short prompt: preference optimisation on short contexts
  pair_long,   // both under the long prompt: Long-PO
  solopo,      // the short pair, and chosen under the long prompt: SoLoPO
  solopo_both  // the short pair and the long pair: SoLoPO that aligns both responses
};

// Through which rows of the long side the gradient of the alignment flows.
enum class LongGradient { full, response };

// In how many passes a record runs, when its activations do not fit at once. The loss couples the sequences,
// so a pass that differentiates needs all log-probabilities, which a pass without gradients gives.
enum class Passes {
  one,
  // SoLoPO: the short side without gradient, then the long side at once, then the short side again.
  short_side_first,
  // Everything without gradient, then every piece (a prompt with the responses that share it) on its own.
  everything_twice
};

struct Scheme {
  Sides sides = Sides::solopo;
  bool share_prefix = false;  // responses continue one copy of their prompt
  bool skip_last_layer = false;
  LongGradient long_gradient = LongGradient::full;  // of SoLoPO's long side only
  Passes passes = Passes::one;
  bool head_on_all_rows = false;  // logits for prompt rows too, as most systems compute them
  Rows rows = Rows::needed;
};

struct RecordWork {
  Work differentiated{};  // forward and backward
  Work read{};            // forward only, every step
  Work scored{};          // one forward of everything: what a reference model computes
  Count peak_tokens = 0;  // most rows whose activations live together for a backward
  Count read_tokens = 0;  // rows of which only keys and values live then, read without gradient
};

namespace scheme_detail {

// A prompt with responses that run together: the unit that passes can separate.
struct Piece {
  Count prompt = 0;
  std::array<Count, 2> responses{};
  std::size_t count = 0;
  bool long_side = false;

  [[nodiscard]] constexpr std::span<const Count> all() const { return {responses.data(), count}; }
};

struct Pieces {
  std::array<Piece, 4> items{};
  std::size_t size = 0;

  constexpr void add(Count prompt, std::span<const Count> responses, bool long_side, bool share) {
    if (share) {
      Piece piece{.prompt = prompt, .count = responses.size(), .long_side = long_side};
      std::copy(responses.begin(), responses.end(), piece.responses.begin());
      items[size++] = piece;
      return;
    }
    for (const Count response : responses)
      items[size++] = {.prompt = prompt, .responses = {response}, .count = 1, .long_side = long_side};
  }
};

constexpr Pieces pieces_of(const RecordLengths& record, const Scheme& scheme) {
  const Count pair[] = {record.chosen, record.rejected};
  const Count chosen[] = {record.chosen};
  Pieces out;
  if (scheme.sides != Sides::pair_long) out.add(record.prompt, pair, false, scheme.share_prefix);
  if (scheme.sides == Sides::pair_long || scheme.sides == Sides::solopo_both)
    out.add(record.prompt_long, pair, true, scheme.share_prefix);
  if (scheme.sides == Sides::solopo) out.add(record.prompt_long, chosen, true, true);
  return out;
}

constexpr void require_sound(const Scheme& scheme) {
  const bool two_sides = scheme.sides == Sides::solopo || scheme.sides == Sides::solopo_both;
  if (!two_sides && scheme.long_gradient == LongGradient::response)
    throw ArgumentError("long_gradient",
                        "response needs the two sides of SoLoPO: a loss on one prompt has no "
                        "side that it could only read");
  if (!two_sides && scheme.passes == Passes::short_side_first)
    throw ArgumentError("passes",
                        "short_side_first needs the two sides of SoLoPO; everything_twice fits any");
  if (scheme.head_on_all_rows && scheme.skip_last_layer)
    throw ArgumentError("head_on_all_rows",
                        "reads the last layer of every row, which skip_last_layer leaves out");
  if (scheme.head_on_all_rows && scheme.long_gradient == LongGradient::response)
    throw ArgumentError("head_on_all_rows",
                        "rows without a gradient are not scored by a response-only gradient");
}

}  // namespace scheme_detail

// Throws ArgumentError for an empty prompt or response that the scheme reads, for a combination that does not
// exist, and for counts past 64 bits.
constexpr RecordWork record_work(const RecordLengths& record, const Scheme& scheme) {
  namespace detail = scheme_detail;
  detail::require_sound(scheme);
  const PromptWorkOptions options{.rows = scheme.rows, .skip_last_layer = scheme.skip_last_layer};
  const detail::Pieces pieces = detail::pieces_of(record, scheme);
  RecordWork out;
  Count together = 0, short_side = 0, long_side = 0, largest = 0, read_largest = 0;
  for (std::size_t i = 0; i < pieces.size; ++i) {
    const detail::Piece& piece = pieces.items[i];
    const bool response_only = piece.long_side && scheme.long_gradient == LongGradient::response;
    PromptWork work = response_only ? response_only_work(piece.prompt, piece.all(), options)
                                    : prompt_work(piece.prompt, piece.all(), options);
    if (scheme.head_on_all_rows) work.differentiated.head_rows = work.differentiated.tokens;
    out.differentiated += work.differentiated;
    out.read += work.read;
    const Work whole = work.differentiated + work.read;
    out.scored += whole;
    if (scheme.passes == Passes::everything_twice ||
        (scheme.passes == Passes::short_side_first && !piece.long_side))
      out.read += whole;
    const Count held = work.differentiated.tokens;
    together = sum(together, held);
    largest = std::max(largest, held);
    (piece.long_side ? long_side : short_side) = sum(piece.long_side ? long_side : short_side, held);
    out.read_tokens = sum(out.read_tokens, work.read.tokens);
    read_largest = std::max(read_largest, work.read.tokens);
  }
  if (scheme.passes == Passes::everything_twice) out.read_tokens = read_largest;
  out.peak_tokens = scheme.passes == Passes::one                ? together
                    : scheme.passes == Passes::everything_twice ? largest
                                                                : std::max(short_side, long_side);
  return out;
}

}  // namespace solopo::cost
