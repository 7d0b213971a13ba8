// What every objective of the catalogue has to hold at the ends of its domain, whatever its options.
#include "objective_checks.hpp"
#include "solopo/objectives/registry.hpp"

using namespace rule_checks;

namespace {

// Each objective with its defaults, with a tiny and a huge scale, and with every name an option may have.
std::vector<AnyObjective> variants(const ObjectiveEntry& e) {
  std::vector<AnyObjective> out = {make_objective(e.name)};
  for (const ObjectiveOption& o : e.options) {
    if (o.name == "beta") {
      out.push_back(make_objective(e.name, {{"beta", 1e-6f}}));
      out.push_back(make_objective(e.name, {{"beta", 100}}));
    }
    for (const std::string& name : o.names) out.push_back(make_objective(e.name, {{o.name, name}}));
  }
  return out;
}

template <class T>
void check_finite(const AnyObjective& objective, const Pair<T>& p) {
  INFO(objective.name() << ": chosen " << p.chosen.logp << " against " << p.chosen.ref_logp << ", rejected "
                        << p.rejected.logp << " against " << p.rejected.ref_logp);
  CHECK(finite(objective(p)));
}

}  // namespace

TEMPLATE_TEST_CASE("Every objective is finite at margins of 10,000 and at certain responses of one token", "",
                   float, double) {
  for (const ObjectiveEntry& e : registry()) {
    for (const AnyObjective& objective : variants(e)) {
      check_finite(objective, identical_pair<TestType>());
      for (const TestType logp : {TestType(0), TestType(-1e-7), TestType(-1), TestType(-1e4)}) {
        for (const TestType other : {TestType(0), TestType(-1e-7), TestType(-1), TestType(-1e4)}) {
          for (const TestType length : {TestType(1), TestType(100)}) {
            const Response<TestType> a{logp, other, length}, b{other, logp, length};
            for (const TestType label : {TestType(0), TestType(1)}) {
              check_finite(objective, Pair<TestType>{.chosen = a,
                                                     .rejected = b,
                                                     .chosen_long = b,
                                                     .rejected_long = a,
                                                     .third = a,
                                                     .label = label});
              check_finite(objective, Pair<TestType>{.chosen = b,
                                                     .rejected = a,
                                                     .chosen_long = a,
                                                     .rejected_long = b,
                                                     .third = b,
                                                     .label = label});
              check_finite(objective, Pair<TestType>{.chosen = a,
                                                     .rejected = a,
                                                     .chosen_long = b,
                                                     .rejected_long = b,
                                                     .third = b,
                                                     .label = label});
            }
          }
        }
      }
    }
  }
}

TEST_CASE("Every element-wise objective of every option has a true gradient") {
  for (const ObjectiveEntry& e : registry()) {
    if (e.is_coupled || e.is_semi_gradient) continue;  // what is held fixed has a test of its own
    int checked = 0;
    for (const AnyObjective& objective : variants(e)) {
      for (const Pair<double>& p : random_pairs(12, 5)) {
        if (near_kink(objective, p)) continue;
        // Losses of 1e10 and more have no digits left for differences.
        if (std::abs(objective(p).loss) > 1e6) continue;
        INFO(e.name);
        ++checked;
        CHECK(difference_error(objective, p) <= 1e-5);
      }
    }
    INFO(e.name);
    CHECK(checked >= 6);
  }
}

TEST_CASE("A short-to-long objective at equal rewards is its base") {
  for (const ObjectiveEntry& e : registry()) {
    if (!e.needs_long_prompt) continue;
    INFO(e.name);
    const AnyObjective wrapped = make_objective(e.name), base = make_objective(e.name.substr(7));
    for (Pair<double> p : random_pairs(8, 6)) {
      p.chosen_long = p.chosen;
      p.rejected_long = p.rejected;
      const PairLoss<double> g = wrapped(p), h = base(p);
      CHECK(g.loss == Approx(h.loss).epsilon(1e-13));
      CHECK(g.chosen == Approx(h.chosen).epsilon(1e-13).margin(1e-15));
      CHECK(g.rejected == Approx(h.rejected).epsilon(1e-13).margin(1e-15));
      CHECK(g.chosen_long == 0);
    }
  }
}
