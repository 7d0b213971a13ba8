// Every objective against values of an independent implementation (script/golden/objectives.py).
#include "golden_options.hpp"
#include "objective_checks.hpp"
#include "solopo/objectives/registry.hpp"

using namespace rule_checks;

namespace {

// The project's tolerance against other systems.
template <class T>
void check_against(const PairLoss<T>& g, const nlohmann::json& expected, double tolerance) {
  const auto close = [&](T value, const nlohmann::json& golden) {
    CHECK(relative_error(value, golden.get<double>(), 1) <= tolerance);
  };
  close(g.loss, expected.at("loss"));
  close(g.chosen, expected.at("gradient")[0]);
  close(g.rejected, expected.at("gradient")[1]);
  close(g.chosen_long, expected.at("gradient")[2]);
  close(g.rejected_long, expected.at("gradient")[3]);
}

}  // namespace

TEST_CASE("Every objective equals the independent implementation") {
  const nlohmann::json golden = read_golden("objectives.json");
  std::size_t seen = 0;
  for (const ObjectiveEntry& e : registry()) {
    std::size_t cases = 0;
    for (const nlohmann::json& c : golden.at("cases")) {
      if (c.at("objective") != e.name) continue;
      ++cases;
      INFO(c.dump());
      const AnyObjective objective = make_objective(e.name, golden_options(c.at("options")));
      const Pair<double> p = golden_pair(golden.at("pairs").at(c.at("pair").get<std::size_t>()));
      check_against(objective(p), c, 1e-12);
      check_against(objective(converted<float>(p)), c, 2e-5);
    }
    INFO(e.name);
    CHECK(cases >= 8);
    seen += cases;
  }
  CHECK(seen == golden.at("cases").size());
}
