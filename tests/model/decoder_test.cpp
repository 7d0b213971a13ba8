#include "solopo/model/decoder.hpp"

#include <algorithm>
#include <vector>

#include "catch.hpp"
#include "random_values.hpp"
#include "solopo/model/llama.hpp"
#include "tiny_llama.hpp"

using namespace solopo;
using Ids = std::vector<std::int32_t>;

TEST_CASE("scoring from the cache equals scoring the whole sequence") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Decoder decoder(weights);
  Llama<float> model(weights);
  for (const std::size_t length : {1u, 65u, 500u}) {
    const Ids prompt = test::random_tokens(length, 50, "prompt"),
              response = test::random_tokens(6, 50, "response");
    decoder.read_prompt(prompt);
    PackedSequences batch;
    batch.append(prompt, response);
    const double expected = model.response_logps(batch)[0];
    CHECK(decoder.response_logp(response) == Approx(expected).epsilon(1e-5));
    CHECK(decoder.response_logp(response) == decoder.response_logp(response));
    CHECK(decoder.response_logp(Ids{response[0]}) > decoder.response_logp(response));
  }
}

TEST_CASE("a prompt longer than one chunk is read as if it were one") {
  LlamaConfig config = test::tiny_config();
  config.max_position_embeddings = 1500;
  const auto weights = test::random_weights<float>(config);
  const Ids prompt = test::random_tokens(1300, 50, "prompt"),
            response = test::random_tokens(3, 50, "response");
  Decoder decoder(weights);
  decoder.read_prompt(prompt);
  PackedSequences batch;
  batch.append(prompt, response);
  CHECK(decoder.response_logp(response) ==
        Approx(Llama<float>(weights).response_logps(batch)[0]).epsilon(1e-5));
}

TEST_CASE("greedy text is the argmax of the full model, step by step") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Decoder decoder(weights);
  Llama<float> model(weights);
  const Ids prompt = test::random_tokens(20, 50, "prompt");
  decoder.read_prompt(prompt);
  const auto out = decoder.generate({.max_new_tokens = 12});
  REQUIRE(out[0].tokens.size() == 12);
  Ids so_far = prompt;
  for (const std::int32_t token : out[0].tokens) {
    const auto logits = model.last_logits(so_far);
    CHECK(token == std::max_element(logits.begin(), logits.end()) - logits.begin());
    so_far.push_back(token);
  }
}

TEST_CASE("a sample's log-probability is the model's, and samples do not disturb each other") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Decoder decoder(weights);
  Llama<float> model(weights);
  const Ids prompt = test::random_tokens(30, 50, "prompt");
  decoder.read_prompt(prompt);
  const GenerateOptions options{
      .max_new_tokens = 10, .temperature = 0.85, .samples = 8, .seed = 3, .stop_tokens = {2, 7}};
  const auto eight = decoder.generate(options);
  GenerateOptions one = options;
  one.samples = 1;
  CHECK(decoder.generate(one)[0].tokens == eight[0].tokens);
  bool differ = false, any_stopped = false;
  for (const Generated& g : eight) {
    differ = differ || g.tokens != eight[0].tokens;
    any_stopped = any_stopped || g.stopped;
    if (g.stopped || g.tokens.empty()) continue;
    PackedSequences batch;
    batch.append(prompt, g.tokens);
    CHECK(g.logp == Approx(model.response_logps(batch)[0]).epsilon(1e-5));
    CHECK(std::find(g.tokens.begin(), g.tokens.end(), 2) == g.tokens.end());
  }
  CHECK(differ);
  CHECK(any_stopped);
  const auto again = decoder.generate(options);
  for (std::size_t i = 0; i < eight.size(); ++i) CHECK(again[i].tokens == eight[i].tokens);
  GenerateOptions other = options;
  other.stream = 1;
  CHECK(decoder.generate(other)[0].tokens != eight[0].tokens);
}

TEST_CASE("prompts continued together give what each gives alone, bit by bit") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Decoder together(weights), alone(weights);
  std::vector<Ids> prompts;
  std::vector<GenerateOptions> options;
  for (std::uint64_t i = 0; i < 5; ++i) {
    prompts.push_back(test::random_tokens(3 + 67 * i, 50, "prompt " + std::to_string(i)));
    options.push_back({.max_new_tokens = static_cast<std::int32_t>(4 + 3 * i),
                       .temperature = i % 2 == 0 ? 0.9 : 0,
                       .samples = i % 2 == 0 ? 4 : 2,
                       .seed = 3,
                       .stream = i,
                       .stop_tokens = {2, 7, 11}});
    CHECK(together.add_prompt(prompts.back()) == i);
  }
  const auto out = together.generate_all(options);
  const Ids response = test::random_tokens(6, 50, "response");
  REQUIRE(out.size() == 5);
  bool any_stopped = false, any_ran_out = false;
  for (std::size_t p = 0; p < 5; ++p) {
    alone.read_prompt(prompts[p]);
    const auto expected = alone.generate(options[p]);
    REQUIRE(out[p].size() == expected.size());
    for (std::size_t s = 0; s < expected.size(); ++s) {
      CHECK(out[p][s].tokens == expected[s].tokens);
      CHECK(out[p][s].stopped == expected[s].stopped);
      CHECK(out[p][s].logp == expected[s].logp);
      (out[p][s].stopped ? any_stopped : any_ran_out) = true;
    }
    CHECK(together.response_logp(response, p) == alone.response_logp(response));
  }
  CHECK((any_stopped && any_ran_out));
  CHECK_THROWS_WITH(together.generate(options[0]), Catch::Contains("5 prompts"));
  CHECK_THROWS_AS(together.response_logp(response, 5), ArgumentError);
  together.read_prompt(prompts[1]);  // forgets the five
  CHECK(together.generate(options[1])[0].tokens == out[1][0].tokens);
}

TEST_CASE("sampling follows softmax at its temperature") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Decoder decoder(weights);
  decoder.read_prompt(Ids{4, 5});
  const auto logits = decoder.prompt_logits();
  double sum = 0;
  for (const float z : logits) sum += std::exp(z / 0.5);
  const int draws = 4000;
  std::vector<int> count(50, 0);
  for (const Generated& g : decoder.generate({.max_new_tokens = 1, .temperature = 0.5, .samples = draws}))
    ++count[static_cast<std::size_t>(g.tokens[0])];
  for (std::size_t t = 0; t < 50; ++t) {
    const double p = std::exp(logits[t] / 0.5) / sum;
    CHECK(count[t] == Approx(draws * p).margin(5 * std::sqrt(draws * p) + 1));  // five standard deviations
  }
}

TEST_CASE("generation ends at the model's context, and wrong options are refused") {
  LlamaConfig config = test::tiny_config();
  config.max_position_embeddings = 8;
  const auto weights = test::random_weights<float>(config);
  Decoder decoder(weights);
  CHECK(decoder.prompt_logits().empty());
  CHECK_THROWS_AS(decoder.generate({}), ArgumentError);
  CHECK_THROWS_WITH(decoder.read_prompt(Ids{}), Catch::Contains("empty"));
  CHECK_THROWS_WITH(decoder.read_prompt(Ids(9, 1)), Catch::Contains("context"));
  CHECK_THROWS_WITH(decoder.read_prompt(Ids{60}), Catch::Contains("prompt[0]"));
  decoder.read_prompt(Ids(6, 1));
  const auto out = decoder.generate({.max_new_tokens = 32});
  CHECK(out[0].tokens.size() == 3);  // two that are read, one that is only predicted
  CHECK_FALSE(out[0].stopped);
  CHECK_THROWS_AS(decoder.generate({.temperature = -1}), ArgumentError);
  CHECK_THROWS_AS(decoder.generate({.samples = 0}), ArgumentError);
  CHECK_THROWS_AS(decoder.response_logp(Ids(4, 1)), ArgumentError);
}
