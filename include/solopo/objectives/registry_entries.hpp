// The objectives of the registry, as types and as entries.
#pragma once

#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "solopo/alignment/any_distance.hpp"
#include "solopo/objectives/alpha_dpo.hpp"
#include "solopo/objectives/alphapo.hpp"
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
#include "solopo/objectives/odpo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/r_dpo.hpp"
#include "solopo/objectives/registry.hpp"
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

}  // namespace registry_detail

// visit.template operator()<O>(d) for the type of every objective, d.name its name; solopo:NAME, which has
// the type SoLoPO<O, AnyDistance, Scope>, is left to the caller.
template <class Visit>
void each_objective_type(Visit&& visit) {
  registry_detail::add_all(visit, visit);
}

#if !defined(SOLOPO_COMPILED_REGISTRY) || defined(SOLOPO_REGISTRY_SOURCE)
namespace registry_detail {

inline std::vector<ObjectiveEntry> entries() {
  std::vector<ObjectiveEntry> plain, wrapped;
  add_all(plain, wrapped);
  plain.back().policy_long_reference_short = true;
  plain.insert(plain.end(), wrapped.begin(), wrapped.end());
  return plain;
}

}  // namespace registry_detail

#if !defined(SOLOPO_COMPILED_REGISTRY)
inline
#endif
    std::span<const ObjectiveEntry>
    registry() {
  static const std::vector<ObjectiveEntry> entries = registry_detail::entries();
  return entries;
}

#endif

}  // namespace solopo
