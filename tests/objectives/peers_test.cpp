// Losses and gradients against what other systems compute with their own code
// (script/golden/peer_objectives.py).
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "golden_options.hpp"
#include "objective_checks.hpp"
#include "solopo/objectives/registry.hpp"

using namespace rule_checks;

TEST_CASE("Objectives equal TRL's and Liger's own loss code, loss and gradient") {
  const nlohmann::json pairs = read_golden("objectives.json").at("pairs");
  const nlohmann::json golden = read_golden("peer_objectives.json");
  std::map<std::string, int> checked;
  for (const nlohmann::json& c : golden.at("cases")) {
    INFO(c.dump());
    const AnyObjective objective =
        make_objective(c.at("objective").get<std::string>(), golden_options(c.at("options")));
    const PairLoss<double> g = objective(golden_pair(pairs.at(c.at("pair").get<std::size_t>())));
    const double tolerance = c.at("tolerance").get<double>();
    const double ours[] = {g.loss, g.chosen, g.rejected};
    const nlohmann::json theirs[] = {c.at("loss"), c.at("gradient")[0], c.at("gradient")[1]};
    for (int i = 0; i < 3; ++i) {
      CHECK(is_finite(ours[i]));
      if (theirs[i].is_null()) continue;  // the system gave no number
      const double error = relative_error(ours[i], theirs[i].get<double>(), 1);
      if (!c.contains("deviation")) CHECK(error <= tolerance);
    }
    if (!c.contains("deviation"))
      ++checked[c.at("system").get<std::string>() + " " + c.at("objective").get<std::string>()];
  }
  CHECK(checked.size() >= 26);
}

TEST_CASE("Objectives that couple a batch equal TRL's own loss code, batch after batch") {
  const nlohmann::json batches = read_golden("batch_objectives.json").at("batches");
  std::map<std::string, int> checked;
  const nlohmann::json cases = read_golden("peer_batches.json").at("cases");
  for (const nlohmann::json& c : cases) {
    INFO(c.at("objective") << " " << c.at("options"));
    const AnyObjective objective =
        make_objective(c.at("objective").get<std::string>(), golden_options(c.at("options")));
    const double tolerance = c.at("tolerance").get<double>();
    NamedState state = objective.initial_state();
    for (std::size_t b = 0; b < batches.size(); ++b) {
      std::vector<Pair<double>> pairs;
      for (const nlohmann::json& p : batches[b]) pairs.push_back(golden_pair(p));
      std::vector<PairLoss<double>> losses(pairs.size());
      state = objective.advanced(state, std::span<const Pair<double>>(pairs));
      objective.losses(pairs, state, losses);
      const nlohmann::json& theirs = c.at("batches")[b];
      const auto n = static_cast<double>(pairs.size());
      double mean = 0;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        mean += losses[i].loss / n;
        for (unsigned r = 0; r < role_count; ++r) {
          const double slope = losses[i].*role_of_loss<double>[r] / n;
          CHECK(relative_error(slope, theirs.at("gradient")[i][r].get<double>(), 1) <= tolerance);
        }
      }
      CHECK(relative_error(mean, theirs.at("loss").get<double>(), 1) <= tolerance);
    }
    ++checked[objective.name()];
  }
  CHECK(checked == std::map<std::string, int>{{"aot", 2}, {"aot-unpaired", 2}, {"bco", 2}, {"kto", 2}});
}

TEST_CASE("Where a system is said to deviate, it does") {
  const nlohmann::json pairs = read_golden("objectives.json").at("pairs");
  const nlohmann::json golden = read_golden("peer_objectives.json");
  std::map<std::string, double> largest;
  for (const nlohmann::json& c : golden.at("cases")) {
    if (!c.contains("deviation")) continue;
    const AnyObjective objective =
        make_objective(c.at("objective").get<std::string>(), golden_options(c.at("options")));
    const PairLoss<double> g = objective(golden_pair(pairs.at(c.at("pair").get<std::size_t>())));
    const bool none =
        c.at("loss").is_null() || c.at("gradient")[0].is_null() || c.at("gradient")[1].is_null();
    const double error = none ? 1.0
                              : std::max({relative_error(g.loss, c.at("loss").get<double>(), 1),
                                          relative_error(g.chosen, c.at("gradient")[0].get<double>(), 1),
                                          relative_error(g.rejected, c.at("gradient")[1].get<double>(), 1)});
    double& worst = largest[c.at("system").get<std::string>() + " " + c.at("deviation").get<std::string>()];
    worst = std::max(worst, error);
  }
  for (const auto& [what, error] : largest) {
    INFO(what);
    CHECK(error > 1e-3);
  }
}
