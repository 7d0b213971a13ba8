// The schemes that are compared, under short names and in plain words. Each is a Scheme and, where it is
// about the reference, the options that go with it.
#pragma once

#include <string_view>

#include "solopo/core/error.hpp"
#include "solopo/cost/flops.hpp"
#include "solopo/cost/scheme.hpp"

namespace solopo::cost {

struct NamedScheme {
  const char* name;
  const char* words;
  Scheme scheme{};
  Reference reference = Reference::none;
};

// V is vanilla Long-PO, to which the others are compared; PS: prefix shared; LL: last layer skipped; RO:
// response-only gradient on the long side; S2: both responses aligned; ref: a reference every step.
inline constexpr NamedScheme named_schemes[] = {
    {"V, naive head", "Long-PO, logits of all rows", {.sides = Sides::pair_long, .head_on_all_rows = true}},
    {"V", "Long-PO", {.sides = Sides::pair_long}},
    {"V+PS", "Long-PO, prompts shared", {.sides = Sides::pair_long, .share_prefix = true}},
    {"V+PS+LL",
     "and the last layer skipped",
     {.sides = Sides::pair_long, .share_prefix = true, .skip_last_layer = true}},
    {"S", "SoLoPO, chosen aligned", {.sides = Sides::solopo}},
    {"S+PS", "SoLoPO, prompts shared", {.sides = Sides::solopo, .share_prefix = true}},
    {"S+PS+LL",
     "and the last layer skipped",
     {.sides = Sides::solopo, .share_prefix = true, .skip_last_layer = true}},
    {"S2+PS", "SoLoPO, both aligned", {.sides = Sides::solopo_both, .share_prefix = true}},
    {"S+PS, two passes",
     "short side read first: less memory",
     {.sides = Sides::solopo, .share_prefix = true, .passes = Passes::short_side_first}},
    {"S+PS+RO",
     "long side: gradient of the response only",
     {.sides = Sides::solopo, .share_prefix = true, .long_gradient = LongGradient::response}},
    {"S+PS+RO+LL",
     "and the last layer skipped",
     {.sides = Sides::solopo,
      .share_prefix = true,
      .skip_last_layer = true,
      .long_gradient = LongGradient::response}},
    {"V, ref", "Long-PO with a reference every step", {.sides = Sides::pair_long}, Reference::every_step},
    {"S, ref", "SoLoPO with one", {.sides = Sides::solopo}, Reference::every_step},
    {"S+PS, ref",
     "SoLoPO with one, prompts shared",
     {.sides = Sides::solopo, .share_prefix = true},
     Reference::every_step},
};

// Throws ArgumentError for a name that is not there.
constexpr const NamedScheme& find_scheme(std::string_view name) {
  for (const NamedScheme& known : named_schemes)
    if (name == known.name) return known;
  throw ArgumentError("scheme", "there is no '" + printable(name) + "'");
}

}  // namespace solopo::cost
