// Every objective against values of an independent implementation (script/golden/objectives.py and
// batch_objectives.py).
#include <map>

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
  for (unsigned r = 0; r < role_count; ++r) {
    close(g.*role_of_loss<T>[r], expected.at("gradient")[r]);
    if (expected.contains("by_statistic")) {
      close(g.by_statistic[r], expected.at("by_statistic")[r]);
    } else {
      CHECK(g.by_statistic[r] == 0);
    }
  }
}

}  // namespace

TEST_CASE("Every objective equals the independent implementation") {
  const nlohmann::json golden = read_golden("objectives.json");
  std::size_t seen = 0;
  for (const ObjectiveEntry& e : registry()) {
    if (e.is_coupled) continue;
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

TEST_CASE("Every objective of a pair equals the independent implementation at extreme inputs") {
  const nlohmann::json golden = read_golden("extreme_objectives.json");
  std::map<std::string, int> cases;
  for (const nlohmann::json& c : golden.at("cases")) {
    const nlohmann::json& pair = golden.at("pairs").at(c.at("pair").get<std::size_t>());
    INFO(pair.at("about") << "\n" << c.dump());
    const AnyObjective objective =
        make_objective(c.at("objective").get<std::string>(), golden_options(c.at("options")));
    ++cases[objective.name()];
    check_against(objective(golden_pair(pair)), c, 1e-12);
    check_against(objective(converted<float>(golden_pair(pair))), c, 2e-5);
  }
  for (const ObjectiveEntry& e : registry()) {
    INFO(e.name);
    if (!e.is_coupled && !e.needs_long_prompt && e.name != "longpo") CHECK(cases[e.name] >= 10);
  }
}

TEST_CASE("Every objective that couples a batch equals the independent implementation, batch after batch") {
  const nlohmann::json golden = read_golden("batch_objectives.json");
  std::map<std::string, int> cases;
  for (const nlohmann::json& c : golden.at("cases")) {
    INFO(c.dump());
    const AnyObjective objective =
        make_objective(c.at("objective").get<std::string>(), golden_options(c.at("options")));
    ++cases[objective.name()];
    NamedState state = objective.initial_state();
    for (std::size_t b = 0; b < c.at("batches").size(); ++b) {
      std::vector<Pair<double>> pairs;
      for (const nlohmann::json& p : golden.at("batches")[b]) pairs.push_back(golden_pair(p));
      std::vector<PairLoss<double>> losses(pairs.size());
      state = objective.advanced(state, std::span<const Pair<double>>(pairs));
      objective.losses(std::span<const Pair<double>>(pairs), state, losses);
      const nlohmann::json& expected = c.at("batches")[b];
      double mean = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        mean += losses[i].loss / static_cast<double>(pairs.size());
        for (unsigned r = 0; r < role_count; ++r) {
          const double derivative = losses[i].*role_of_loss<double>[r] / static_cast<double>(pairs.size());
          CHECK(relative_error(derivative, expected.at("gradient")[i][r].get<double>(), 1) <= 1e-12);
        }
      }
      CHECK(relative_error(mean, expected.at("loss").get<double>(), 1) <= 1e-12);
    }
  }
  for (const ObjectiveEntry& e : registry()) {
    INFO(e.name);
    CHECK((cases[e.name] >= 2) == e.is_coupled);
  }
}
