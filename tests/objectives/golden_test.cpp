// Every objective against values of an independent implementation (script/golden/objectives.py).
#include <fstream>
#include <nlohmann/json.hpp>

#include "objective_checks.hpp"
#include "solopo/objectives/registry.hpp"

using namespace rule_checks;

namespace {

Response<double> response(const nlohmann::json& j) {
  return {j.at("logp").get<double>(), j.at("ref_logp").get<double>(), j.at("length").get<double>()};
}

ObjectiveOptions options(const nlohmann::json& j) {
  ObjectiveOptions o;
  const auto number = [&](const char* name, std::optional<float>& out) {
    if (j.contains(name)) out = j.at(name).get<float>();
  };
  number("beta", o.beta);
  number("gamma", o.gamma);
  number("lambda", o.lambda);
  number("alpha", o.alpha);
  number("label_smoothing", o.label_smoothing);
  number("huber_delta", o.huber_delta);
  o.distance = j.value("distance", o.distance);
  o.scope = j.value("scope", o.scope);
  o.stop_short_gradient = j.value("stop_short_gradient", false);
  return o;
}

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
  std::ifstream file(SOLOPO_SOURCE_DIR "/tests/golden/objectives.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  std::size_t seen = 0;
  for (const ObjectiveEntry& e : registry()) {
    std::size_t cases = 0;
    for (const nlohmann::json& c : golden.at("cases")) {
      if (c.at("objective") != e.name) continue;
      ++cases;
      INFO(c.dump());
      const AnyObjective objective = make_objective(e.name, options(c.at("options")));
      const Pair<double> p{response(c.at("pair").at("chosen")), response(c.at("pair").at("rejected")),
                           response(c.at("pair").at("chosen_long")),
                           response(c.at("pair").at("rejected_long"))};
      check_against(objective(p), c, 1e-12);
      check_against(objective(converted<float>(p)), c, 2e-5);
    }
    INFO(e.name);
    CHECK(cases >= 8);
    seen += cases;
  }
  CHECK(seen == golden.at("cases").size());
}
