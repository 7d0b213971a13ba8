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

const Comparison& comparison() {
  static const Comparison all = [] {
    Comparison out;
    compare_pairs(out);
    compare_batches(out);
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
        "liger-kernel 0.8.5: 14 in 332\nllamafactory 0.9.5: 7 in 191\n"
        "trl 0.28.0: 22 in 458\ntrl 1.16.0: 26 in 1007\n");
  CHECK(all.deviations == 134);
}

// LD-DPO is DPO on log-probabilities whose tail counts ld_alpha, of the policy alone or of both models; WPO
// multiplies DPO by how likely both answers are under the policy.
TEST_CASE("Losses that read tokens equal DPO on what they make of the tokens") {
  const json inputs = read_golden("peers/tokens.json").at("inputs");
  std::map<std::string, int> checked;
  for (const json& peer : peers()) {
    if (!peer.contains("tokens")) continue;
    for (const json& line : peer.at("tokens")) {
      const json& o = line.at("options");
      const double tail = o.value("ld_alpha", 1.0),
                   ref_tail = o.value("desensitise", "both") == "both" ? tail : 1;
      const DPO dpo{.beta = o.at("beta").get<float>()};
      double worst = 0;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        INFO(peer.at("system") << ", " << line.at("form") << " " << o << ", entry " << i);
        double log_weight = 0;
        const auto response = [&](const char* role) {
          const auto of = [&](const char* field) { return inputs[i].at(role).at(field).get<double>(); };
          log_weight += (of("head_logp") + of("tail_logp") - of("sum_log_square")) / of("length");
          return Response<double>{of("head_logp") + tail * of("tail_logp"),
                                  of("ref_head_logp") + ref_tail * of("ref_tail_logp"), of("length")};
        };
        const PairLoss<double> g =
            dpo(Pair<double>{.chosen = response("chosen"), .rejected = response("rejected")});
        double weight = o.contains("clamp") ? std::exp(log_weight) : 1;
        if (o.value("clamp", false)) weight = std::min(weight, 1.0);
        const json& theirs = line.at("gradient")[i];
        const auto tail_slope = [&](const char* role) {  // none where there is no tail
          const json& y = inputs[i].at(role);
          return y.at("head_length") == y.at("length") ? 0.0 : tail;
        };
        const double error =
            largest_error({weight * g.loss, weight * g.chosen, weight * tail_slope("chosen") * g.chosen,
                           weight * g.rejected, weight * tail_slope("rejected") * g.rejected},
                          {line.at("loss")[i], theirs[0], theirs[1], theirs[2], theirs[3]});
        if (!line.contains("deviation")) CHECK(error <= line.at("tolerance").get<double>());
        worst = std::max(worst, error);
      }
      if (line.contains("deviation")) CHECK(worst > 1e-3);
      ++checked[peer.at("system").get<std::string>() + " " + line.at("form").get<std::string>()];
    }
  }
  CHECK(checked == std::map<std::string, int>{{"llamafactory 0.9.5 ld-dpo", 2},
                                              {"trl 0.28.0 ld-dpo", 2},
                                              {"trl 0.28.0 wpo", 1},
                                              {"trl 1.16.0 ld-dpo", 2},
                                              {"trl 1.16.0 wpo", 1}});
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
    if (e.needs_long_prompt || e.name == "wpo") continue;  // wpo: by tokens, above
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
