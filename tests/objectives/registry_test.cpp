#include "solopo/objectives/registry.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "objective_checks.hpp"
#include "solopo/solopo.hpp"

using namespace rule_checks;
using Catch::Matchers::Contains;

TEST_CASE("The registry lists every objective once, and a short-to-long form of each with a reward") {
  std::set<std::string> names;
  for (const ObjectiveEntry& e : registry()) CHECK(names.insert(e.name).second);
  const std::set<std::string> plain{
      "dpo",      "simpo",     "orpo",         "ipo",       "hinge",     "robust",   "sigmoid-norm",
      "cpo",      "cpo-simpo", "exo-pair",     "nca-pair",  "sppo-hard", "bco-pair", "apo-zero",
      "apo-down", "discopop",  "f-dpo",        "alphapo",   "repo",      "simper",   "r-dpo",
      "dpop",     "rpo",       "mpo",          "sft",       "longpo",    "kto",      "apo-zero-unpaired",
      "bco",      "aot",       "aot-unpaired", "alpha-dpo", "beta-dpo",  "odpo",     "tpo",
      "ld-dpo",   "logo",      "wpo",          "tdpo1",     "tdpo2"};
  for (const std::string& name : plain) CHECK(names.count(name) == 1);
  CHECK(names.size() == 2 * plain.size() - 1);  // longpo has no reward of one response
  for (const ObjectiveEntry& e : registry()) {
    if (e.needs_long_prompt) continue;
    CHECK(names.count("solopo:" + e.name) == (e.has_reward ? 1 : 0));
    CHECK(e.has_reward == (e.name != "longpo"));
  }
}

TEST_CASE("Every header of an objective is in the registry") {
  const std::set<std::string> parts{"any_objective",  "differentiated",
                                    "moving_moments", "objective_options",
                                    "pair_metrics",   "pairwise",
                                    "registry",       "registry_entries",
                                    "solopo",         "sum"};
  for (const auto& file :
       std::filesystem::directory_iterator(SOLOPO_SOURCE_DIR "/include/solopo/objectives")) {
    const std::string stem = file.path().stem().string();
    if (parts.count(stem) == 0) CHECK_NOTHROW(find_objective(stem));
  }
}

namespace {
std::string text_of(const char* path) {
  std::ifstream file(std::string(SOLOPO_SOURCE_DIR "/") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}
}  // namespace

TEST_CASE("Every entry has a page, rows in the tables, a formula, and facts that match its objective") {
  const std::string readme = text_of("README.md"), index = text_of("docs/objectives/README.md");
  for (const ObjectiveEntry& e : registry()) {
    INFO(e.name);
    const AnyObjective objective = make_objective(e.name);
    CHECK(objective.name() == e.name);
    CHECK(objective.needs() == e.needs);
    CHECK(objective.has_reward() == e.has_reward);
    CHECK(needs_reference(objective.needs()) == e.needs_reference);
    CHECK(has(objective.needs(), Needs::chosen_long) == e.needs_long_prompt);
    CHECK(has(objective.needs(), Needs::rejected) == e.needs_rejected);
    CHECK(objective.is_coupled() == e.is_coupled);
    CHECK(objective.third() == e.third);
    CHECK(objective.statistic() == e.statistic);
    CHECK(has(objective.needs(), Needs::statistic) == (objective.statistic() != Statistic::none));
    CHECK(has(objective.needs(), Needs::third) == (e.third != ThirdResponse::none));
    CHECK(objective.has_alignment() == e.needs_long_prompt);
    CHECK_FALSE(e.formula.empty());
    const std::string page = e.needs_long_prompt ? "solopo" : e.name;
    if (!e.needs_long_prompt) {
      CHECK(readme.find("| [`" + e.name + "`](docs/objectives/" + e.name + ".md) |") != std::string::npos);
      CHECK(index.find("| [`" + e.name + "`](" + e.name + ".md) |") != std::string::npos);
    }
    CHECK(std::filesystem::exists(SOLOPO_SOURCE_DIR "/docs/objectives/" + page + ".md"));
  }
}

TEST_CASE("Defaults are the struct's own, and alpha is the paper's") {
  const Pair<double> p = simple_pair<double>();
  CHECK(same(make_objective("dpo")(p), DPO{}(p)));
  CHECK(same(make_objective("longpo")(p), LongPO{}(p)));
  CHECK(same(make_objective("simpo")(p), SimPO{}(p)));
  CHECK(same(make_objective("orpo")(p), ORPO{}(p)));
  CHECK(same(make_objective("ipo")(p), IPO{}(p)));
  CHECK(same(make_objective("hinge")(p), Hinge{}(p)));
  CHECK(same(make_objective("sft")(p), SFT{}(p)));
  CHECK(same(make_objective("solopo:dpo")(p), SoLoPO<DPO>{.alpha = 3.f}(p)));
  CHECK(same(make_objective("solopo:simpo")(p), SoLoPO<SimPO>{.alpha = 1.f}(p)));
  CHECK(same(make_objective("solopo:orpo")(p), SoLoPO<ORPO>{.alpha = 1.f}(p)));
}

TEST_CASE("Options reach the objective") {
  const Pair<double> p = simple_pair<double>();
  CHECK(same(make_objective("simpo", {{"beta", 3}, {"gamma", 1}, {"label_smoothing", 0.1f}})(p),
             SimPO{.beta = 3.f, .gamma = 1.f, .label_smoothing = 0.1f}(p)));
  CHECK(same(make_objective("solopo:dpo", {{"beta", 0.5f}, {"alpha", 2}, {"distance", "squared"}})(p),
             SoLoPO<DPO, Squared>{.base = {.beta = 0.5f}, .alpha = 2.f}(p)));
  CHECK(
      same(make_objective("solopo:orpo", {{"lambda", 0.5f}, {"distance", "huber"}, {"huber_delta", 0.2f}})(p),
           SoLoPO<ORPO, Huber>{.base = {.lambda = 0.5f}, .distance = {.delta = 0.2f}}(p)));
  CHECK(same(make_objective("solopo:ipo", {{"scope", "both"}})(p), SoLoPO<IPO, Absolute, AlignBoth>{}(p)));
  CHECK(same(make_objective("solopo:hinge", {{"stop_short_gradient", true}})(p),
             SoLoPO<Hinge>{.stop_short_gradient = true}(p)));
  CHECK(has(make_objective("solopo:sft", {{"scope", "both"}}).needs(), Needs::rejected_long));
}

namespace {

// Each pair as a batch of one, and all as one batch that has been seen.
bool differ(const AnyObjective& a, const AnyObjective& b) {
  const std::vector<Pair<double>> pairs = random_pairs(40, 11);
  for (const Pair<double>& p : pairs) {
    if (!same(a(p), b(p))) return true;
  }
  const auto in_batch = [&](const AnyObjective& o) {
    std::vector<PairLoss<double>> losses(pairs.size());
    o.losses(pairs, o.advanced(o.initial_state(), std::span<const Pair<double>>(pairs)), losses);
    return losses;
  };
  const auto x = in_batch(a), y = in_batch(b);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!same(x[i], y[i])) return true;
  }
  return false;
}

// Another value than the default that the option may have.
OptionValue another(const ObjectiveOption& o) {
  if (const bool* flag = o.standard.flag()) return !*flag;
  if (const std::string* name = o.standard.name()) return o.names[*name == o.names[0] ? 1 : 0];
  const float x = *o.standard.number();
  if (o.name == "huber_delta") return 0.01f;  // below the gaps of small rewards
  return o.range.contains(2 * x + 0.03f) ? 2 * x + 0.03f : x / 2;
}

}  // namespace

TEST_CASE("Every option of every objective has a description and changes the objective") {
  for (const ObjectiveEntry& e : registry()) {
    for (const ObjectiveOption& o : e.options) {
      INFO(e.name << " " << o.name);
      CHECK_FALSE(describe_option(o.name).empty());
      ObjectiveOptions with, without;
      if (o.name == "huber_delta") with = without = {{"distance", "huber"}};
      if (o.name == "divergence_alpha") with = without = {{"divergence", "alpha"}};
      with.emplace(o.name, another(o));
      CHECK(differ(make_objective(e.name, with), make_objective(e.name, without)));
      without.emplace(o.name, o.standard);
      CHECK_FALSE(differ(make_objective(e.name, without), make_objective(e.name, [&] {
                           ObjectiveOptions bare = without;
                           bare.erase(o.name);
                           return bare;
                         }())));
    }
  }
}

TEST_CASE("LongPO alone has a policy on the long prompt and a reference on the short one") {
  CHECK(find_objective("longpo").policy_long_reference_short);
  CHECK_FALSE(find_objective("dpo").policy_long_reference_short);
}

TEST_CASE("An option's text is a switch, a number or a name") {
  CHECK(option_value("true") == OptionValue(true));
  CHECK(option_value("0.25") == OptionValue(0.25f));
  CHECK(option_value("-3e-2") == OptionValue(-0.03f));
  for (const char* name : {"huber", "1.5x", "", "nan?", "True"})
    CHECK(option_value(name) == OptionValue(name));
}

TEST_CASE("A wrong name, option or value is refused by name") {
  CHECK_THROWS_WITH(make_objective("simpoo"), Contains("'simpoo'") && Contains("did you mean 'simpo'?"));
  CHECK_THROWS_WITH(make_objective("solopo:longpo"), Contains("no objective is called"));
  CHECK_THROWS_WITH(make_objective("dpo", {{"gamma", 1.f}}),
                    "gamma: dpo has no such option; it has beta, label_smoothing");
  CHECK_THROWS_WITH(make_objective("dpo", {{"alpha", 1.f}}), Contains("alpha: dpo has no such option"));
  CHECK_THROWS_WITH(make_objective("solopo:dpo", {{"distance", "sqared"}}),
                    Contains("did you mean 'squared'?"));
  CHECK_THROWS_WITH(make_objective("solopo:dpo", {{"scope", "all"}}), Contains("known: chosen, both"));
  CHECK_THROWS_WITH(make_objective("dpo", {{"distance", "squared"}}),
                    Contains("distance: dpo has no such option"));
  CHECK_THROWS_WITH(make_objective("dpo", {{"stop_short_gradient", true}}), Contains("stop_short_gradient"));
  CHECK_THROWS_WITH(make_objective("solopo:dpo", {{"huber_delta", 1.f}}), Contains("huber_delta"));
  CHECK_THROWS_AS(make_objective("dpo", {{"beta", 0.f}}), ArgumentError);
  CHECK_THROWS_AS(make_objective("dpo", {{"beta", -1.f}}), ArgumentError);
  CHECK_THROWS_AS(make_objective("dpo", {{"beta", std::numeric_limits<float>::quiet_NaN()}}), ArgumentError);
  CHECK_THROWS_AS(make_objective("dpo", {{"label_smoothing", 0.6f}}), ArgumentError);
  CHECK_THROWS_AS(make_objective("solopo:dpo", {{"alpha", -1.f}}), ArgumentError);
  CHECK_NOTHROW(make_objective("solopo:dpo", {{"alpha", 0.f}, {"label_smoothing", 0.5f}}));
}
