#include "solopo/model/computed_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "random_values.hpp"
#include "solopo/model/llama.hpp"
#include "tiny_llama.hpp"

using namespace solopo;
using Ids = std::vector<std::int32_t>;

namespace {

const Ids prompt = test::random_tokens(70, 50, "prompt"), other = test::random_tokens(33, 50, "other"),
          a = test::random_tokens(5, 50, "a"), b = test::random_tokens(1, 50, "b"),
          c = test::random_tokens(9, 50, "c"), y = test::random_tokens(4, 50, "y");

// Rows 0..69 the prompt, 70..73 a, 74..81 c; 82..114 another prompt, 115..117 its response.
PackedSequences two_prompts() {
  PackedSequences batch;
  const std::span<const std::int32_t> all[] = {a, b, c};
  batch.append_shared(prompt, all);
  batch.append(other, y);
  return batch;
}

std::int64_t pairs_of(std::int64_t rows) { return rows * (rows + 1) / 2; }

}  // namespace

TEST_CASE("Scored rows are the last of a prompt and those of its responses, in one run") {
  const PackedSequences batch = two_prompts();
  const ComputedRows rows = scored_rows(batch);
  CHECK(rows.runs == std::vector<RowRun>{{69, 82}, {114, 118}});
  // What they see: the last prompt row its prompt; each response row that and its own response so far.
  CHECK(kernels::attention_pairs(rows.tiles) ==
        (70 + 4 * 70 + pairs_of(4) + 8 * 70 + pairs_of(8)) + (33 + 3 * 33 + pairs_of(3)));

  PackedSequences whole = two_prompts();
  whole.score_prompt(0);
  CHECK(scored_rows(whole).runs == std::vector<RowRun>{{0, 82}, {114, 118}});
}

TEST_CASE("A last layer that computes scored rows only gives the numbers of one that computes all") {
  for (const bool bias : {false, true})
    for (const bool recompute : {false, true}) {
      CAPTURE(bias, recompute);
      const auto weights = test::random_weights<double>(test::tiny_config(false, bias));
      const PackedSequences batch = two_prompts();
      PackedSequences whole = two_prompts();  // all rows scored, and what is added not counted below
      whole.score_prompt(0);
      whole.score_prompt(3);
      REQUIRE(scored_rows(whole).runs == std::vector<RowRun>{{0, 118}});
      Llama<double> model(weights, {.recompute = recompute});
      const std::vector<double> expected = model.forward(whole), coefficients = {0.3, -1.2, 0.7, 1.1, 0, 0};
      std::vector<double> truth(weights.layout.size()), gradients(truth.size());
      model.backward(coefficients, truth);
      const std::vector<double> logps = model.forward(batch);
      model.backward(std::span(coefficients).first(4), gradients);
      for (std::size_t i = 0; i < 4; ++i) CHECK(logps[i] == Approx(expected[i]).epsilon(1e-13));
      double difference = 0, size = 0;
      for (std::size_t i = 0; i < truth.size(); ++i) {
        difference += (gradients[i] - truth[i]) * (gradients[i] - truth[i]);
        size += truth[i] * truth[i];
      }
      REQUIRE(size > 0);
      CHECK(std::sqrt(difference / size) < 1e-13);
    }
}

TEST_CASE("Nothing reads what an earlier pass left in rows that are not computed") {
  LlamaWeights<float> weights = test::random_weights<float>(test::tiny_config());
  const PackedSequences batch = two_prompts();
  const std::vector<float> coefficients = {0.3f, -1.2f, 0.7f, 1.1f};
  const auto run = [&](Llama<float>& model, std::vector<float>& gradients) {
    const std::vector<float> logps = model.forward(batch);
    gradients.assign(weights.layout.size(), 0.0f);
    model.backward(coefficients, gradients);
    return logps;
  };
  std::vector<float> expected, gradients;
  Llama<float> fresh(weights);
  const std::vector<float> logps = run(fresh, expected);
  Llama<float> used(weights);
  const auto sound = weights.data;
  std::fill(weights.data.begin(), weights.data.end(), std::numeric_limits<float>::quiet_NaN());
  PackedSequences whole = two_prompts();
  whole.score_prompt(0);
  whole.score_prompt(3);
  gradients.assign(weights.layout.size(), 0.0f);
  used.forward(whole);  // every row of every array is NaN now
  used.backward(std::vector<float>(6, 1.0f), gradients);
  weights.data = sound;
  CHECK(run(used, gradients) == logps);
  CHECK(gradients == expected);
}
