// Losses and gradients against what other systems compute with their own code (script/golden/peers/).
// Equal where nothing is said; where a deviation is recorded, ours is a number and theirs is another, or
// none.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "golden_options.hpp"
#include "objective_checks.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/registry.hpp"

using namespace rule_checks;
using nlohmann::json;

namespace {

struct Comparison {
  std::map<std::string, std::set<std::string>> equal;  // system: objectives with an equal line
  std::map<std::string, std::set<std::string>>
      differs;                       // system: objectives with a line that is another loss
  std::map<std::string, int> cases;  // system: cases compared
  int deviations = 0;
};

std::vector<json> peers() {
  std::vector<json> out;
  for (const auto& file : std::filesystem::directory_iterator(SOLOPO_SOURCE_DIR "/tests/golden/peers")) {
    if (file.path().filename() != "tokens.json")
      out.push_back(read_golden("peers/" + file.path().filename().string()));
  }
  return out;
}

bool is_deviation(const json& line, std::size_t index) {
  for (const auto& [reason, at] : line.at("deviations").items()) {
    for (const json& i : at) {
      if (i == index) return true;
    }
  }
  return false;
}

// Largest error of theirs against ours; huge where theirs is no number. Ours must be one.
double largest_error(const std::vector<double>& ours, const std::vector<json>& theirs) {
  REQUIRE(ours.size() == theirs.size());
  double worst = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    CHECK(is_finite(ours[i]));
    worst =
        std::max(worst, theirs[i].is_null() ? 1e300 : relative_error(ours[i], theirs[i].get<double>(), 1));
  }
  return worst;
}

// The cases of one line: a call with its options.
struct Line {
  Comparison& all;
  const std::string system, objective;
  int equal = 0, deviations = 0;

  void judge(bool deviates, double error, double tolerance) {
    ++(deviates ? deviations : equal);
    if (deviates)
      CHECK(error > tolerance);
    else
      CHECK(error <= tolerance);
  }
  // A loss that is another one can still meet ours where both are 0: most cases decide.
  ~Line() {
    all.cases[system] += equal + deviations;
    all.deviations += deviations;
    (equal > deviations ? all.equal : all.differs)[system].insert(objective);
  }
};

void compare_pairs(Comparison& out) {
  for (const json& peer : peers()) {
    const std::string system = peer.at("system");
    for (const json& line : peer.at("pairs")) {
      const std::string name = line.at("objective");
      const AnyObjective objective = make_objective(name, golden_options(line.at("options")));
      const json pairs = read_golden(line.at("inputs")).at("pairs");
      const json& skipped = line.at("skipped");
      REQUIRE(line.at("loss").size() == pairs.size());
      Line cases{out, system, name};
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        if (std::find(skipped.begin(), skipped.end(), json(i)) != skipped.end()) continue;
        INFO(system << ", " << name << " " << line.at("options") << ", " << line.at("call") << ", pair " << i
                    << " of " << line.at("inputs"));
        const PairLoss<double> g = objective(golden_pair(pairs[i]));
        std::vector<double> ours{g.loss};
        std::vector<json> theirs{line.at("loss")[i]};
        for (unsigned r = 0; r < role_count; ++r) {
          ours.push_back(g.*role_of_loss<double>[r]);
          theirs.push_back(line.at("gradient")[i][r]);
        }
        cases.judge(is_deviation(line, i), largest_error(ours, theirs), line.at("tolerance").get<double>());
      }
    }
  }
}

void compare_batches(Comparison& out) {
  const json batches = read_golden("batch_objectives.json").at("batches");
  for (const json& peer : peers()) {
    const std::string system = peer.at("system");
    if (!peer.contains("batches")) continue;
    for (const json& line : peer.at("batches")) {
      const std::string name = line.at("objective");
      const AnyObjective objective = make_objective(name, golden_options(line.at("options")));
      NamedState state = objective.initial_state();
      Line cases{out, system, name};
      for (std::size_t b = 0; b < batches.size(); ++b) {
        INFO(system << ", " << name << " " << line.at("options") << ", " << line.at("call") << ", batch "
                    << b);
        std::vector<Pair<double>> pairs;
        for (const json& p : batches[b]) pairs.push_back(golden_pair(p));
        std::vector<PairLoss<double>> losses(pairs.size());
        state = objective.advanced(state, std::span<const Pair<double>>(pairs));
        objective.losses(pairs, state, losses);
        const auto n = static_cast<double>(pairs.size());
        std::vector<double> ours{0};
        std::vector<json> theirs{line.at("batches")[b].at("loss")};
        for (std::size_t i = 0; i < pairs.size(); ++i) {
          ours[0] += losses[i].loss / n;
          for (unsigned r = 0; r < role_count; ++r) {
            ours.push_back(losses[i].*role_of_loss<double>[r] / n);
            theirs.push_back(line.at("batches")[b].at("gradient")[i][r]);
          }
        }
        cases.judge(is_deviation(line, b), largest_error(ours, theirs), line.at("tolerance").get<double>());
      }
    }
  }
}

// Objectives that read a statistic of their responses, from entries that hold heads and tails of them. The
// derivative by a head's log-probability is that by the response's and, where the head is the statistic, that
// by it.
void compare_tokens(Comparison& out) {
  const json inputs = read_golden("peers/tokens.json").at("inputs");
  for (const json& peer : peers()) {
    const std::string system = peer.at("system");
    if (!peer.contains("tokens")) continue;
    for (const json& line : peer.at("tokens")) {
      const std::string name = line.at("form");
      const AnyObjective objective = make_objective(name, golden_options(line.at("options")));
      const bool reads_heads = objective.statistic() == Statistic::head_logp;
      Line cases{out, system, name};
      double worst = 0;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        INFO(system << ", " << name << " " << line.at("options") << ", entry " << i);
        const auto response = [&](const char* role) {
          const auto of = [&](const char* field) { return inputs[i].at(role).at(field).get<double>(); };
          return Response<double>{.logp = of("head_logp") + of("tail_logp"),
                                  .ref_logp = of("ref_head_logp") + of("ref_tail_logp"),
                                  .length = of("length"),
                                  .statistic = reads_heads ? of("head_logp") : of("sum_log_square"),
                                  .ref_statistic = of("ref_head_logp")};
        };
        const PairLoss<double> g =
            objective(Pair<double>{.chosen = response("chosen"), .rejected = response("rejected")});
        std::vector<double> ours{g.loss};
        std::vector<json> theirs{line.at("loss")[i]};
        for (unsigned r = 0; r < 2; ++r) {
          const json& y = inputs[i].at(response_roles[r].name);
          const double slope = g.*role_of_loss<double>[r];
          ours.push_back(slope + (reads_heads ? g.by_statistic[r] : 0));
          ours.push_back(y.at("head_length") == y.at("length") ? 0 : slope);
          theirs.push_back(line.at("gradient")[i][2 * r]);
          theirs.push_back(line.at("gradient")[i][2 * r + 1]);
        }
        const double error = largest_error(ours, theirs);
        if (!line.contains("deviation")) cases.judge(false, error, line.at("tolerance").get<double>());
        worst = std::max(worst, error);
      }
      if (line.contains("deviation")) cases.judge(true, worst, 1e-3);
    }
  }
}

const Comparison& comparison() {
  static const Comparison all = [] {
    Comparison out;
    compare_pairs(out);
    compare_batches(out);
    compare_tokens(out);
    return out;
  }();
  return all;
}

}  // namespace

TEST_CASE("Objectives equal other systems' own loss code, and differ where a deviation is recorded") {
  const Comparison& all = comparison();
  std::string counts;
  for (const auto& [system, names] : all.equal)
    counts +=
        system + ": " + std::to_string(names.size()) + " in " + std::to_string(all.cases.at(system)) + "\n";
  CHECK(counts ==
        "liger-kernel 0.8.5: 14 in 332\nllamafactory 0.9.5: 8 in 203\n"
        "trl 0.28.0: 22 in 461\ntrl 1.16.0: 28 in 1025\n");
  CHECK(all.deviations == 137);
}

// "TRL", "Liger", "LLaMA-Factory": a row of the README that names a system says that the system's code was
// run.
TEST_CASE("README's table names the systems that were compared, and no others") {
  std::ifstream file(SOLOPO_SOURCE_DIR "/README.md");
  const std::string readme{std::istreambuf_iterator<char>(file), {}};
  const Comparison& all = comparison();
  const auto compared = [&](const std::string& objective, const std::string& prefix) {
    for (const auto* by_system : {&all.equal, &all.differs}) {
      for (const auto& [system, names] : *by_system) {
        if (system.rfind(prefix, 0) == 0 && names.count(objective)) return true;
      }
    }
    return false;
  };
  for (const ObjectiveEntry& e : registry()) {
    if (e.needs_long_prompt) continue;
    INFO(e.name);
    const std::size_t at = readme.find("| [`" + e.name + "`](");
    REQUIRE(at != std::string::npos);
    std::string row = readme.substr(at, readme.find('\n', at) - at);
    row = row.substr(row.rfind('|', row.size() - 2));
    bool any = false;
    for (const auto& [word, prefix] : std::map<std::string, std::string>{
             {"TRL", "trl "}, {"Liger", "liger-kernel "}, {"LLaMA-Factory", "llamafactory "}}) {
      INFO(row << " " << word);
      CHECK((row.find(word) != std::string::npos) == compared(e.name, prefix));
      any = any || compared(e.name, prefix);
    }
    CHECK((row.find("formula only") != std::string::npos) != any);
  }
}
