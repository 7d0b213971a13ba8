#include "solopo/train/reference_logps.hpp"

#include <fstream>
#include <limits>

#include "catch.hpp"
#include "tiny_run.hpp"

using namespace solopo;
using namespace solopo::test;

namespace {
const CollateOptions layout{.needs = make_objective("solopo:dpo").needs()};
}

TEST_CASE("Reference log-probabilities are those of the model, for the roles that are needed") {
  const LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const auto records = tiny_records(3);
  const auto reference = compute_reference(model, records, layout);
  REQUIRE(reference.has_value());
  CHECK(reference->roles[3].empty());
  for (std::size_t i = 0; i < 3; ++i) {
    PackedSequences alone;
    alone.append(records[i].prompt, records[i].rejected);
    alone.append(records[i].prompt_long, records[i].chosen);
    const std::vector<float> logps = model.response_logps(alone);
    CHECK(reference->roles[1][i] == Approx(logps[0]).epsilon(1e-5));
    CHECK(reference->roles[2][i] == Approx(logps[1]).epsilon(1e-5));
  }
}

TEST_CASE("An objective without a reference runs nothing") {
  const LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const auto reference = compute_reference(model, tiny_records(3), {.needs = make_objective("orpo").needs()});
  for (const auto& role : reference->roles) CHECK(role.empty());
}

TEST_CASE("It stops when asked, and names a record whose log-probability is not a number") {
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  CHECK_FALSE(compute_reference(model, tiny_records(3), layout, [](std::size_t done, std::size_t) {
                return done < 2;
              }).has_value());
  weights.tensor("model.norm.weight")[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(compute_reference(model, tiny_records(3), layout), Catch::Contains("record 'r0'"));
}

TEST_CASE("The cache gives back the same bits under its key, and nothing under another") {
  TemporaryFolder folder;
  const auto path = folder.path() / "reference.safetensors";
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const auto records = tiny_records(3);
  const auto reference = compute_reference(model, records, layout);
  const std::string key =
      reference_key(weights_digest(parameters_of(weights)), records_digest(records), layout, "x");
  CHECK_FALSE(read_reference(path, key, 3).has_value());
  write_reference(path, key, *reference);
  const auto back = read_reference(path, key, 3);
  REQUIRE(back.has_value());
  CHECK(back->roles == reference->roles);
  CHECK_FALSE(read_reference(path, key, 4).has_value());
  CHECK_FALSE(read_reference(path, key + "0", 3).has_value());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  CHECK_THROWS_AS(read_reference(path, key, 3), ModelError);
}

TEST_CASE("The cache holds statistics where the objective reads some") {
  LlamaWeights<float> weights = tiny_weights();
  Llama<float> model(weights);
  const std::vector<PreferenceRecord> records = tiny_records(3);
  const AnyObjective objective = make_objective("ld-dpo");
  const CollateOptions heads{.needs = objective.needs(), .statistic = objective.statistic()};
  const auto reference = compute_reference(model, records, heads);
  TemporaryFolder folder;
  write_reference(folder.path() / "r.safetensors", "key", *reference);
  const auto read = read_reference(folder.path() / "r.safetensors", "key", 3);
  REQUIRE(read.has_value());
  CHECK(read->roles == reference->roles);
  CHECK(read->statistics == reference->statistics);
  CHECK(read->statistics[0].size() == 3);
  CHECK(reference_key("w", "r", heads, "b") != reference_key("w", "r", {.needs = heads.needs}, "b"));
}

TEST_CASE("The key changes with a weight, a token, the layout and the build, and only then") {
  LlamaWeights<float> weights = tiny_weights();
  auto records = tiny_records(3);
  const auto key = [&](const CollateOptions& options = layout, const std::string& build = "x") {
    return reference_key(weights_digest(parameters_of(weights)), records_digest(records), options, build);
  };
  const std::string first = key();
  CHECK(key() == first);
  CHECK(key(layout, "y") != first);
  CollateOptions other = layout;
  other.share_prefix = false;
  CHECK(key(other) != first);
  std::swap(records[0], records[1]);
  CHECK(key() != first);
  std::swap(records[0], records[1]);
  records[2].prompt_long.back() += 1;
  CHECK(key() != first);
  records[2].prompt_long.back() -= 1;
  // A token that moves from the prompt to the response is another record, too.
  weights.tensor("model.norm.weight")[1] += 1e-6f;
  CHECK(key() != first);
}
