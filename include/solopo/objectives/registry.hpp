// The one list of objectives by name: the command line, the README's table and the tests are made from it.
// Not part of solopo.hpp, since it instantiates every objective.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "solopo/alignment/any_distance.hpp"
#include "solopo/core/closest_name.hpp"
#include "solopo/core/error.hpp"
#include "solopo/core/numeric.hpp"
#include "solopo/objectives/alpha_dpo.hpp"
#include "solopo/objectives/alphapo.hpp"
#include "solopo/objectives/any_objective.hpp"
#include "solopo/objectives/aot.hpp"
#include "solopo/objectives/apo_down.hpp"
#include "solopo/objectives/apo_zero.hpp"
#include "solopo/objectives/apo_zero_unpaired.hpp"
#include "solopo/objectives/bco.hpp"
#include "solopo/objectives/bco_pair.hpp"
#include "solopo/objectives/beta_dpo.hpp"
#include "solopo/objectives/cpo.hpp"
#include "solopo/objectives/cpo_simpo.hpp"
#include "solopo/objectives/discopop.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/dpop.hpp"
#include "solopo/objectives/exo_pair.hpp"
#include "solopo/objectives/f_dpo.hpp"
#include "solopo/objectives/hinge.hpp"
#include "solopo/objectives/ipo.hpp"
#include "solopo/objectives/kto.hpp"
#include "solopo/objectives/ld_dpo.hpp"
#include "solopo/objectives/logo.hpp"
#include "solopo/objectives/longpo.hpp"
#include "solopo/objectives/mpo.hpp"
#include "solopo/objectives/nca_pair.hpp"
#include "solopo/objectives/objective_options.hpp"
#include "solopo/objectives/odpo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/r_dpo.hpp"
#include "solopo/objectives/repo.hpp"
#include "solopo/objectives/robust.hpp"
#include "solopo/objectives/rpo.hpp"
#include "solopo/objectives/sft.hpp"
#include "solopo/objectives/sigmoid_norm.hpp"
#include "solopo/objectives/simper.hpp"
#include "solopo/objectives/simpo.hpp"
#include "solopo/objectives/solopo.hpp"
#include "solopo/objectives/sppo_hard.hpp"
#include "solopo/objectives/tdpo1.hpp"
#include "solopo/objectives/tdpo2.hpp"
#include "solopo/objectives/tpo.hpp"
#include "solopo/objectives/wpo.hpp"

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

namespace registry_detail {

// Lists a rule's options with its values as defaults.
struct Lister {
  std::vector<ObjectiveOption>& out;

  void operator()(const char* name, const float& value, Range range) const {
    out.push_back({.name = name, .standard = value, .range = range});
  }
  void operator()(const char* name, const bool& value) const {
    out.push_back({.name = name, .standard = value});
  }
  template <class Enum, std::size_t N>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, const Enum& value, const char* const (&names)[N]) const {
    out.push_back(
        {.name = name, .standard = names[static_cast<std::size_t>(value)], .names = {names, names + N}});
  }
};

// Gives a rule the options of a resolved set.
struct Setter {
  const ObjectiveOptions& options;

  void operator()(const char* name, float& value, Range) const {
    if (const auto o = options.find(name); o != options.end()) value = *o->second.number();
  }
  void operator()(const char* name, bool& value) const {
    if (const auto o = options.find(name); o != options.end()) value = *o->second.flag();
  }
  template <class Enum, std::size_t N>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum& value, const char* const (&names)[N]) const {
    const auto o = options.find(name);
    if (o == options.end()) return;
    for (std::size_t i = 0; i < N; ++i) {
      if (*o->second.name() == names[i]) value = static_cast<Enum>(i);
    }
  }
};

template <class O>
AnyObjective configured(const std::string& name, const ObjectiveOptions& options) {
  O objective{};
  visit_options(objective, Setter{options});
  return {name, objective};
}

template <class Base>
AnyObjective configured_solopo(const std::string& name, const ObjectiveOptions& options) {
  if (*options.at("scope").name() == "both")
    return configured<SoLoPO<Base, AnyDistance, AlignBoth>>(name, options);
  return configured<SoLoPO<Base, AnyDistance, AlignChosen>>(name, options);
}

struct Description {
  std::string name, formula, paper;
  float alpha = 1;  // default of solopo:<name>
};

// An objective and, when it has a reward, its short-to-long form.
template <class O>
void add(std::vector<ObjectiveEntry>& entries, std::vector<ObjectiveEntry>& solopo_entries,
         const Description& d) {
  ObjectiveEntry e{.name = d.name,
                   .formula = d.formula,
                   .paper = d.paper,
                   .needs = O::needs,
                   .needs_reference = needs_reference(O::needs),
                   .has_reward = RewardObjective<O>,
                   .needs_rejected = has(O::needs, Needs::rejected),
                   .is_coupled = CoupledObjective<O>,
                   .is_semi_gradient = is_semi_gradient<O>,
                   .third = third_of<O>,
                   .statistic = statistic_of<O>,
                   .make = &configured<O>};
  const O standard{};
  visit_options(standard, Lister{e.options});
  entries.push_back(e);
  if constexpr (RewardObjective<O>) {
    using Wrapped = SoLoPO<O, AnyDistance>;
    e.name = "solopo:" + d.name;
    e.formula = d.formula + " + alpha |r(short, w) - r(long, w)|";
    e.paper = "2505.11166";
    e.needs = Wrapped::needs;
    e.needs_reference = needs_reference(e.needs);
    e.needs_long_prompt = true;
    e.make = &configured_solopo<O>;
    e.options.clear();
    const Wrapped wrapped{.alpha = d.alpha};
    visit_options(wrapped, Lister{e.options});
    e.options.push_back({.name = "scope", .standard = "chosen", .names = {"chosen", "both"}});
    solopo_entries.push_back(e);
  }
}

// To visit the objectives' types: visit.template operator()<O>(description) for each of the list.
template <class O, class Visit>
void add(Visit& visit, Visit&, const Description& d) {
  visit.template operator()<O>(d);
}

// The list itself.
template <class Out>
void add_all(Out& plain, Out& wrapped) {
  add<DPO>(plain, wrapped, {"dpo", "-(1-e) ln s(beta D) - e ln s(-beta D)", "2305.18290", 3});
  add<SimPO>(plain, wrapped, {"simpo", "-ln s(beta (mean logp w - mean logp l) - gamma)", "2405.14734"});
  add<ORPO>(plain, wrapped, {"orpo", "-mean logp w - lambda ln s(log-odds w - log-odds l)", "2403.07691"});
  add<IPO>(plain, wrapped, {"ipo", "(mean log-ratio w - mean log-ratio l - 1/(2 beta))^2", "2310.12036"});
  add<Hinge>(plain, wrapped, {"hinge", "max(0, 1 - beta D)", "2305.10425"});
  add<RobustDPO>(plain, wrapped,
                 {"robust", "[-(1-e) ln s(beta D) + e ln s(-beta D)] / (1 - 2e)", "2403.00409"});
  add<SigmoidNorm>(plain, wrapped,
                   {"sigmoid-norm", "-ln s(beta (mean log-ratio w - mean log-ratio l))", "2411.15124"});
  add<CPO>(plain, wrapped, {"cpo", "-ln s(beta (logp w - logp l)) + nll_weight NLL(w)", "2401.08417"});
  add<CPOSimPO>(plain, wrapped, {"cpo-simpo", "simpo + nll_weight NLL(w)", "2405.14734"});
  add<EXO>(plain, wrapped,
           {"exo-pair", "q ln(q / (1-e)) + (1-q) ln((1-q) / e), q = s(beta D)", "2402.00856"});
  add<NCA>(plain, wrapped, {"nca-pair", "-ln s(r w) - ln s(-r w) / 2 - ln s(-r l) / 2", "2402.05369"});
  add<SPPO>(plain, wrapped,
            {"sppo-hard", "(log-ratio w - 1/(2 beta))^2 + (log-ratio l + 1/(2 beta))^2", "2405.00675"});
  add<BCOPair>(plain, wrapped, {"bco-pair", "-ln s(r w - delta) - ln s(delta - r l)", "2404.04656"});
  add<APOZero>(plain, wrapped, {"apo-zero", "1 - s(r w) + s(r l)", "2408.06266"});
  add<APODown>(plain, wrapped, {"apo-down", "s(r w) + 1 - s(r w - r l)", "2408.06266"});
  add<DiscoPOP>(plain, wrapped,
                {"discopop", "(1-m) (-ln s(beta D)) + m e^(-beta D), m = s(beta D / tau)", "2406.08414"});
  add<FDPO<>>(plain, wrapped, {"f-dpo", "-ln s(beta (g(log-ratio w) - g(log-ratio l)))", "2309.16240"});
  add<AlphaPO>(plain, wrapped,
               {"alphapo", "-ln s(r w - r l - gamma), r = beta (1 - e^(-a mean logp)) / a", "2501.03884"});
  add<RePO>(plain, wrapped, {"repo", "max(0, gamma - (mean logp w - mean logp l))", "2503.07426"});
  add<SimPER>(plain, wrapped, {"simper", "-e^(mean logp w) + e^(mean logp l)", "2502.00883"});
  add<RDPO>(plain, wrapped, {"r-dpo", "-ln s(beta D + length_weight (length w - length l))", "2403.19159"});
  add<DPOP>(plain, wrapped, {"dpop", "-ln s(beta (D - lambda max(0, -log-ratio w)))", "2402.13228"});
  add<RPO>(plain, wrapped, {"rpo", "dpo + nll_weight NLL(w)", "2404.19733"});
  add<MPO>(plain, wrapped, {"mpo", "dpo_weight dpo + bco_weight bco-pair + nll_weight NLL(w)", "2411.10442"});
  add<KTO>(
      plain, wrapped,
      {"kto", "label: 1 - s(beta (log-ratio - z)), no label: 1 - s(beta (z - log-ratio))", "2402.01306"});
  add<APOZeroUnpaired>(
      plain, wrapped,
      {"apo-zero-unpaired", "label: 1 - s(beta log-ratio), no label: s(beta log-ratio)", "2408.06266"});
  add<BCO>(plain, wrapped, {"bco", "label: -ln s(r - delta), no label: -ln s(delta - r)", "2404.04656"});
  add<AOT>(plain, wrapped,
           {"aot", "-ln s(beta (sorted (logp w - logp l) - sorted (ref w - ref l)))", "2406.05882"});
  add<AOTUnpaired>(plain, wrapped,
                   {"aot-unpaired", "-ln s(beta (sorted log-ratio w - sorted log-ratio l))", "2406.05882"});
  add<AlphaDPO>(
      plain, wrapped,
      {"alpha-dpo", "-ln s(beta (mean logp w - mean logp l - a (mean D - M) / S) - gamma)", "2410.10148"});
  add<BetaDPO>(plain, wrapped,
               {"beta-dpo", "-ln s(beta (1 + a (mean of D - M)) D) of the kept pairs", "2407.08639"});
  add<ODPO>(plain, wrapped, {"odpo", "-ln s(beta D - a ln(score w - score l))", "2402.10571"});
  add<LDDPO>(plain, wrapped,
             {"ld-dpo", "dpo of ld(l) = a l + (1-a) l of the first min(n w, n l) tokens", "2409.06411"});
  add<TPO>(plain, wrapped,
           {"tpo", "-ln s(beta (logp w - logp l) - gamma) + nll_weight NLL(reference)", "2405.16681"});
  add<LOGO>(
      plain, wrapped,
      {"logo", "-ln s(beta (mean logp w - average mean logp l) - gamma) + nll_weight NLL(w)", "2410.18533"});
  add<WPO<>>(plain, wrapped,
             {"wpo", "e^(v w + v l) dpo, v the mean of logp - ln sum of squared likelihoods", "2406.11827"});
  add<TDPO1>(plain, wrapped, {"tdpo1", "-ln s(beta (D - (K l - K w)))", "2404.11999"});
  add<TDPO2>(plain, wrapped, {"tdpo2", "-ln s(beta (D - a (K l - K w))), K w fixed", "2404.11999"});
  add<SFT>(plain, wrapped, {"sft", "-mean logp w", ""});
  add<LongPO>(plain, wrapped,
              {"longpo", "lm_weight NLL(long prompt, w) + dpo_weight dpo, reference on the short prompt",
               "2502.13922"});
}

inline std::vector<ObjectiveEntry> entries() {
  std::vector<ObjectiveEntry> plain, wrapped;
  add_all(plain, wrapped);
  plain.back().policy_long_reference_short = true;
  plain.insert(plain.end(), wrapped.begin(), wrapped.end());
  return plain;
}

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

// visit.template operator()<O>(d) for the type of every objective, d.name its name; solopo:NAME, which has
// the type SoLoPO<O, AnyDistance, Scope>, is left to the caller.
template <class Visit>
void each_objective_type(Visit&& visit) {
  registry_detail::add_all(visit, visit);
}

// All objectives, in the order of the README's table.
[[nodiscard]] inline std::span<const ObjectiveEntry> registry() {
  static const std::vector<ObjectiveEntry> entries = registry_detail::entries();
  return entries;
}

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
      {"desensitise", "weigh tokens down under policy and reference, or the policy only"},
      {"desirable_weight", "weight of records labelled desirable"},
      {"distance", "of the alignment: absolute, squared or huber"},
      {"divergence", "from the reference: reverse_kl, forward_kl, js or alpha"},
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
      {"nll", "divide the NLL by the response's tokens, not at all, or by the batch's mean"},
      {"nll_weight", "weight of the chosen response's NLL"},
      {"normalise", "log-ratios by length: mean, or sum"},
      {"offset", "of the scores: log_difference, difference or log_ratio"},
      {"offset_weight", "weight of the scores' margin"},
      {"reference_point", "log-ratio from which a response counts as improved"},
      {"reward_alpha", "shape of the reward; 0: logarithmic"},
      {"scope", "align the chosen response, or both"},
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
