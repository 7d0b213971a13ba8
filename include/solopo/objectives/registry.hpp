// The one list of objectives by name: the command line, the README's table and the tests are made from it.
// Not part of solopo.hpp, since it instantiates every objective. A program of several files compiles the list
// once: define SOLOPO_COMPILED_REGISTRY for all of them, and in one more file define SOLOPO_REGISTRY_SOURCE
// too and include solopo/objectives/registry_entries.hpp.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "solopo/core/closest_name.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/objectives/objective_options.hpp"

namespace solopo {

struct ObjectiveEntry {
  std::string name{};     // as on the command line
  std::string formula{};  // per pair; `solopo objectives` explains the letters
  std::string paper{};    // arXiv id, or empty
  Needs needs = Needs::none;
  bool needs_reference = false;
  bool has_reward = false;
  bool needs_long_prompt = false;  // reads responses under the long prompt next to the short one
  bool needs_rejected = true;
  bool is_coupled = false;        // sees the pairs of a batch together
  bool is_semi_gradient = false;  // holds a part of its loss fixed
  ThirdResponse third = ThirdResponse::none;
  Statistic statistic = Statistic::none;
  // LongPO: the policy sees the long prompt and the reference the short one. Whoever feeds the objective does
  // this.
  bool policy_long_reference_short = false;
  std::vector<ObjectiveOption> options{};
  AnyObjective (*make)(const std::string& name, const ObjectiveOptions& resolved) = nullptr;
};

// All objectives, in the order of the README's table.
#if defined(SOLOPO_COMPILED_REGISTRY)
[[nodiscard]] std::span<const ObjectiveEntry> registry();
#else
[[nodiscard]] inline std::span<const ObjectiveEntry> registry();
#endif

namespace registry_detail {

// Whether two names differ in '-' and '_' only.
[[nodiscard]] inline bool same_name(std::string_view a, std::string_view b) {
  const auto plain = [](char c) { return c == '_' ? '-' : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return plain(x) == plain(y); });
}

// Throws ArgumentError unless `value` is one that `option` may have.
inline void check_option(const ObjectiveOption& option, const OptionValue& value) {
  if (option.standard.number() != nullptr) {
    const float* x = value.number();
    if (x == nullptr) throw ArgumentError(option.name, "'" + printable(value.text()) + "' is not a number");
    const Range& r = option.range;
    if (is_finite(*x) && r.contains(*x)) return;
    std::string rule;
    if (r.least > -3e38f) rule = (r.least_allowed ? "at least " : "above ") + OptionValue(r.least).text();
    if (r.greatest < 3e38f) {
      rule += (rule.empty() ? "" : " and ") + std::string(r.greatest_allowed ? "at most " : "below ") +
              OptionValue(r.greatest).text();
    }
    throw ArgumentError(option.name, value.text() + " is out of range; it must be " +
                                         (rule.empty() ? "a finite number" : rule));
  }
  if (option.standard.flag() != nullptr) {
    if (value.flag() == nullptr)
      throw ArgumentError(option.name, "'" + printable(value.text()) + "' is not true or false");
    return;
  }
  const std::string given = value.text();
  if (std::find(option.names.begin(), option.names.end(), given) != option.names.end()) return;
  const std::vector<std::string_view> known(option.names.begin(), option.names.end());
  throw ArgumentError(option.name, "'" + printable(given) + "' is not known" + suggestion(given, known));
}

}  // namespace registry_detail

// The entry of that name; '-' and '_' are the same. Throws ArgumentError naming the nearest one.
[[nodiscard]] inline const ObjectiveEntry& find_objective(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ObjectiveEntry& e : registry()) {
    if (registry_detail::same_name(e.name, name)) return e;
    if (e.name.starts_with("solopo:") == name.starts_with("solopo:")) names.push_back(e.name);
  }
  throw ArgumentError("objective",
                      "no objective is called '" + printable(name) + "'" + suggestion(name, names));
}

// The fields of a record that an objective reads besides its prompts, for help texts.
[[nodiscard]] inline std::string record_fields(const ObjectiveEntry& entry) {
  if (has(entry.needs, Needs::label)) return "completion, label";
  std::string out = entry.needs_rejected ? "chosen, rejected" : "chosen";
  if (has(entry.needs, Needs::scores)) out += ", score_chosen, score_rejected";
  if (entry.third == ThirdResponse::reference) out += ", reference";
  if (entry.third == ThirdResponse::second_rejected) out += ", rejected_2";
  return out;
}

// What an option means, for help texts; empty for a name that no objective has.
[[nodiscard]] inline std::string_view describe_option(std::string_view name) {
  struct Text {
    std::string_view name, text;
  };
  static constexpr Text texts[] = {
      {"alpha", "weight of short-to-long alignment"},
      {"batch_weight", "how far beta follows the batch's margins"},
      {"bco_weight", "weight of the binary classifier term"},
      {"beta", "scale of the reward"},
      {"clamp_weight", "weights of responses at most 1"},
      {"delta", "shift of the reward"},
      {"desensitise", "whose tokens past the shorter length weigh less"},
      {"desirable_weight", "weight of records labelled desirable"},
      {"distance", "of the alignment"},
      {"divergence", "from the reference"},
      {"divergence_alpha", "order of the alpha divergence"},
      {"dpo_weight", "weight of the preference term"},
      {"gamma", "margin the rewards should keep, absolute"},
      {"huber_delta", "where the huber distance turns linear"},
      {"keep", "share of a batch's pairs that is kept"},
      {"kl_weight", "weight of the divergence over the tokens"},
      {"label_smoothing", "share of flipped labels assumed"},
      {"lambda", "weight of the odds ratio, or of the penalty"},
      {"ld_alpha", "weight of tokens past the shorter response's length"},
      {"length_weight", "weight of the difference in length"},
      {"lm_weight", "weight of the NLL of the long prompt and the chosen response"},
      {"margin_alpha", "weight of the drift from the reference in the margin"},
      {"nll", "what the NLL is divided by: the response's tokens, nothing, or the batch's mean"},
      {"nll_weight", "weight of the chosen response's NLL"},
      {"normalise", "log-ratios by length, or not"},
      {"offset", "of the scores"},
      {"offset_weight", "weight of the scores' margin"},
      {"reference_point", "log-ratio from which a response counts as improved"},
      {"reward_alpha", "shape of the reward; 0: logarithmic"},
      {"scope", "responses that are aligned"},
      {"stop_short_gradient", "no gradient of the alignment to the short side"},
      {"tau", "temperature of the blend"},
      {"undesirable_weight", "weight of records labelled undesirable"},
  };
  for (const Text& t : texts) {
    if (t.name == name) return t.text;
  }
  return {};
}

// The options with every one of that objective set; huber_delta only with the distance it belongs to. Throws
// ArgumentError, naming the option, for one that the objective does not have and a value it may not take.
[[nodiscard]] inline ObjectiveOptions resolve_options(const ObjectiveEntry& entry, ObjectiveOptions options) {
  for (const auto& [name, value] : options) {
    const auto option = std::find_if(entry.options.begin(), entry.options.end(),
                                     [&name = name](const ObjectiveOption& o) { return o.name == name; });
    if (option == entry.options.end()) {
      std::string all;
      for (const ObjectiveOption& o : entry.options) all += (all.empty() ? "; it has " : ", ") + o.name;
      throw ArgumentError(printable(name), entry.name + " has no such option" + all);
    }
    registry_detail::check_option(*option, value);
  }
  const bool delta_given = options.contains("huber_delta");
  for (const ObjectiveOption& o : entry.options) options.try_emplace(o.name, o.standard);
  if (const auto distance = options.find("distance");
      distance != options.end() && *distance->second.name() != "huber") {
    if (delta_given) throw ArgumentError("huber_delta", "only the distance 'huber' has it");
    options.erase("huber_delta");
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

#if !defined(SOLOPO_COMPILED_REGISTRY)
#include "solopo/objectives/registry_entries.hpp"
#endif
