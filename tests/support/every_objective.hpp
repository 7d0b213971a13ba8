// Every objective of the registry whose pairs do not depend on each other, as a type: for code that is a
// template of the objective.
#pragma once

#include <string>
#include <type_traits>

#include "solopo/backends/pair_functor.hpp"
#include "solopo/objectives/registry_entries.hpp"

namespace rule_checks {

template <class O>
O with_options(const solopo::ObjectiveOptions& options) {
  O objective{};
  solopo::visit_options(objective, solopo::registry_detail::Setter{options});
  return objective;
}

// visit(name, make): make(options) is the objective, name its name in the registry. SoLoPO with AlignBoth
// comes as "NAME, both".
template <class Visit>
void each_elementwise_objective(Visit&& visit) {
  using namespace solopo;
  solopo::each_objective_type([&]<class O>(const registry_detail::Description& d) {
    if constexpr (ElementwiseObjective<O>) {
      visit(d.name, [](const ObjectiveOptions& o) { return with_options<O>(o); });
      if constexpr (RewardObjective<O>) {
        using Chosen = SoLoPO<O, AnyDistance, AlignChosen>;
        using Both = SoLoPO<O, AnyDistance, AlignBoth>;
        visit("solopo:" + d.name, [](const ObjectiveOptions& o) { return with_options<Chosen>(o); });
        visit("solopo:" + d.name + ", both", [](const ObjectiveOptions& o) { return with_options<Both>(o); });
      }
    }
  });
}

}  // namespace rule_checks
