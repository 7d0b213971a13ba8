// The one list of objectives by name: the command line, the README's table and the tests are made from it.
// Not part of solopo.hpp, since it instantiates every objective.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "solopo/alignment/any_distance.hpp"
#include "solopo/core/closest_name.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/hinge.hpp"
#include "solopo/objectives/ipo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/sft.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"

namespace solopo {

// What a user may set. An unset number takes the objective's default; setting one the objective does not have
// is an error. distance, scope, huber_delta and stop_short_gradient belong to the solopo: objectives.
struct ObjectiveOptions {
  std::optional<float> beta{}, gamma{}, lambda{}, alpha{}, label_smoothing{};
  std::string distance = "absolute";  // absolute, squared, huber
  std::string scope = "chosen";       // chosen, both
  bool stop_short_gradient = false;
  std::optional<float> huber_delta{};  // default 1
};

struct ObjectiveEntry {
  std::string name{};     // as on the command line
  std::string formula{};  // per pair; D = margin of summed log-ratios, a bar over a letter = mean over tokens
  std::string paper{};    // arXiv id, or empty
  Needs needs = Needs::none;
  bool needs_reference = false;
  bool has_reward = false;
  bool needs_long_prompt = false;  // reads responses under the long prompt next to the short one
  bool needs_rejected = true;
  // LongPO: DPO whose policy sees the long prompt and whose reference sees the short one. Whoever feeds the
  // objective does this; the objective itself is DPO.
  bool policy_long_reference_short = false;
  ObjectiveOptions defaults{};  // the numbers it has, with their default values
  AnyObjective (*make)(const std::string& name, const ObjectiveOptions& resolved) = nullptr;
};

namespace registry_detail {

// An objective from options whose numbers are all set.
template <class O>
O configured(const ObjectiveOptions& o) {
  if constexpr (std::is_same_v<O, DPO>) {
    return {.beta = *o.beta, .label_smoothing = *o.label_smoothing};
  } else if constexpr (std::is_same_v<O, SimPO>) {
    return {.beta = *o.beta, .gamma = *o.gamma, .label_smoothing = *o.label_smoothing};
  } else if constexpr (std::is_same_v<O, ORPO>) {
    return {.lambda = *o.lambda};
  } else if constexpr (std::is_same_v<O, SFT>) {
    return {};
  } else {
    return {.beta = *o.beta};
  }
}

template <class O>
AnyObjective make_plain(const std::string& name, const ObjectiveOptions& o) {
  return {name, configured<O>(o)};
}

template <class Base>
AnyObjective make_solopo(const std::string& name, const ObjectiveOptions& o) {
  AnyDistance distance{.kind = AnyDistance::Kind::absolute, .delta = o.huber_delta.value_or(1.0f)};
  if (o.distance == "squared") distance.kind = AnyDistance::Kind::squared;
  if (o.distance == "huber") distance.kind = AnyDistance::Kind::huber;
  const auto wrapped = [&]<class Scope>(std::type_identity<Scope>) -> AnyObjective {
    return {name, SoLoPO<Base, AnyDistance, Scope>{.base = configured<Base>(o),
                                                   .alpha = *o.alpha,
                                                   .distance = distance,
                                                   .stop_short_gradient = o.stop_short_gradient}};
  };
  if (o.scope == "both") return wrapped(std::type_identity<AlignBoth>{});
  return wrapped(std::type_identity<AlignChosen>{});
}

struct Description {
  std::string name, formula, paper;
  ObjectiveOptions defaults;
  float alpha = 1;  // default of solopo:<name>
};

// An objective and, when it has a reward, its short-to-long form.
template <class O>
void add(std::vector<ObjectiveEntry>& entries, std::vector<ObjectiveEntry>& solopo_entries,
         const Description& d) {
  entries.push_back({.name = d.name,
                     .formula = d.formula,
                     .paper = d.paper,
                     .needs = O::needs,
                     .needs_reference = needs_reference(O::needs),
                     .has_reward = RewardObjective<O>,
                     .needs_rejected = has(O::needs, Needs::rejected),
                     .defaults = d.defaults,
                     .make = &make_plain<O>});
  if constexpr (RewardObjective<O>) {
    ObjectiveEntry e = entries.back();
    e.name = "solopo:" + d.name;
    e.formula = d.formula + " + alpha |r(short, w) - r(long, w)|";
    e.paper = "2505.11166";
    e.needs = SoLoPO<O, AnyDistance>::needs;
    e.needs_reference = needs_reference(e.needs);
    e.needs_long_prompt = true;
    e.defaults.alpha = d.alpha;
    e.make = &make_solopo<O>;
    solopo_entries.push_back(e);
  }
}

inline ObjectiveOptions numbers(std::optional<float> beta, std::optional<float> gamma = {},
                                std::optional<float> lambda = {}, std::optional<float> label_smoothing = {}) {
  ObjectiveOptions o;
  o.beta = beta;
  o.gamma = gamma;
  o.lambda = lambda;
  o.label_smoothing = label_smoothing;
  return o;
}

inline std::vector<ObjectiveEntry> entries() {
  std::vector<ObjectiveEntry> plain, wrapped;
  add<DPO>(plain, wrapped,
           {"dpo", "-(1-e) ln s(beta D) - e ln s(-beta D)", "2305.18290", numbers(0.1f, {}, {}, 0.0f), 3});
  add<SimPO>(plain, wrapped,
             {"simpo", "-ln s(beta (mean logp w - mean logp l) - gamma)", "2405.14734",
              numbers(2.0f, 0.5f, {}, 0.0f), 1});
  add<ORPO>(plain, wrapped,
            {"orpo", "-mean logp w - lambda ln s(log-odds w - log-odds l)", "2403.07691",
             numbers({}, {}, 0.1f), 1});
  add<IPO>(plain, wrapped,
           {"ipo", "(mean log-ratio w - mean log-ratio l - 1/(2 beta))^2", "2310.12036", numbers(0.1f), 1});
  add<Hinge>(plain, wrapped, {"hinge", "max(0, 1 - beta D)", "2305.10425", numbers(0.1f), 1});
  add<SFT>(plain, wrapped, {"sft", "-mean logp w", "", numbers({}), 1});
  ObjectiveEntry longpo = plain.front();
  longpo.name = "longpo";
  longpo.formula = "-ln s(beta D), policy on the long prompt, reference on the short one";
  longpo.paper = "2502.13922";
  longpo.policy_long_reference_short = true;
  plain.push_back(longpo);
  plain.insert(plain.end(), wrapped.begin(), wrapped.end());
  return plain;
}

}  // namespace registry_detail

// All objectives, in the order of the README's table.
[[nodiscard]] inline std::span<const ObjectiveEntry> registry() {
  static const std::vector<ObjectiveEntry> entries = registry_detail::entries();
  return entries;
}

// The entry of that name. Throws ArgumentError naming the nearest one.
[[nodiscard]] inline const ObjectiveEntry& find_objective(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ObjectiveEntry& e : registry()) {
    if (e.name == name) return e;
    names.push_back(e.name);
  }
  throw ArgumentError("objective",
                      "no objective is called '" + printable(name) + "'" + suggestion(name, names));
}

// The options with every number of that objective set. Throws ArgumentError, naming the option, for one that
// the objective does not have, an unknown distance or scope, and a value out of range.
[[nodiscard]] inline ObjectiveOptions resolve_options(const ObjectiveEntry& entry, ObjectiveOptions options) {
  const auto number = [&](const char* name, std::optional<float>& given, const std::optional<float>& standard,
                          float least, bool least_allowed, float greatest) {
    if (given && !standard) throw ArgumentError(name, entry.name + " has no such option");
    if (!given) given = standard;
    if (!given) return;
    const float x = *given;
    if (!is_finite(x) || x < least || (x == least && !least_allowed) || x > greatest) {
      throw ArgumentError(name, std::to_string(x) + " is out of range; it must be " +
                                    (least_allowed ? "at least " : "above ") + std::to_string(least) +
                                    (greatest < 1e30f ? " and at most " + std::to_string(greatest) : ""));
    }
  };
  constexpr float unbounded = 3e38f;
  number("beta", options.beta, entry.defaults.beta, 0, false, unbounded);
  number("gamma", options.gamma, entry.defaults.gamma, 0, true, unbounded);
  number("lambda", options.lambda, entry.defaults.lambda, 0, true, unbounded);
  number("alpha", options.alpha, entry.defaults.alpha, 0, true, unbounded);
  number("label_smoothing", options.label_smoothing, entry.defaults.label_smoothing, 0, true, 0.5f);

  const auto one_of = [](const char* name, const std::string& given,
                         std::span<const std::string_view> known) {
    for (const std::string_view k : known) {
      if (given == k) return;
    }
    throw ArgumentError(name, "'" + printable(given) + "' is not known" + suggestion(given, known));
  };
  static constexpr std::array<std::string_view, 3> distances{"absolute", "squared", "huber"};
  static constexpr std::array<std::string_view, 2> scopes{"chosen", "both"};
  one_of("distance", options.distance, distances);
  one_of("scope", options.scope, scopes);
  const std::optional<float> standard_delta =
      options.distance == "huber" ? std::optional<float>(1.0f) : std::nullopt;
  if (options.huber_delta && !standard_delta) {
    throw ArgumentError("huber_delta", "only the distance 'huber' has it");
  }
  number("huber_delta", options.huber_delta, standard_delta, 0, false, unbounded);
  if (!entry.needs_long_prompt) {
    const auto refuse = [&](const char* name) {
      throw ArgumentError(name, entry.name + " aligns no rewards; it belongs to the solopo: objectives");
    };
    if (options.distance != "absolute") refuse("distance");
    if (options.scope != "chosen") refuse("scope");
    if (options.stop_short_gradient) refuse("stop_short_gradient");
  }
  return options;
}

// The objective of that name, for example "dpo" or "solopo:simpo". Throws ArgumentError as find_objective and
// resolve_options do.
[[nodiscard]] inline AnyObjective make_objective(std::string_view name,
                                                 const ObjectiveOptions& options = {}) {
  const ObjectiveEntry& entry = find_objective(name);
  return entry.make(entry.name, resolve_options(entry, options));
}

}  // namespace solopo
