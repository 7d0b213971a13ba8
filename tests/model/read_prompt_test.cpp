// Prompts that are read without a gradient: the same log-probabilities, and a gradient to which the prompt's
// keys and values are constants.
#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"
#include "solopo/model/llama.hpp"
#include "tiny_llama.hpp"

using namespace solopo;
using Catch::Contains;
using Ids = std::vector<std::int32_t>;

namespace {

LlamaConfig config() {
  LlamaConfig c = test::tiny_config();
  c.num_hidden_layers = 3;
  c.max_position_embeddings = 1024;
  return c;
}

// A pair under a short prompt as usual, and the same responses under a long one, read or as usual.
struct Example {
  Ids brief = test::random_tokens(20, 50, "short"), prompt, chosen = test::random_tokens(7, 50, "chosen"),
      rejected = test::random_tokens(4, 50, "rejected");
  bool both = true;  // responses under the long prompt; else the chosen one

  explicit Example(std::size_t length = 90) : prompt(test::random_tokens(length, 50, "long")) {}

  [[nodiscard]] PackedSequences batch(bool read) const {
    PackedSequences out;
    const std::span<const std::int32_t> pair[] = {chosen, rejected};
    const std::span together(pair, both ? 2 : 1);
    out.append_shared(brief, pair);
    if (read) {
      out.append_read(prompt, together);
    } else {
      out.append_shared(prompt, together);
    }
    return out;
  }
};

const std::vector<double> coefficients = {0.3, -1.2, 0.7, 1.1};

double weighted(const std::vector<double>& logps) {
  double sum = 0;
  for (std::size_t i = 0; i < logps.size(); ++i) sum += coefficients[i] * logps[i];
  return sum;
}

template <class T>
std::vector<T> gradient(const LlamaWeights<T>& weights, const PackedSequences& batch,
                        LlamaOptions options = {}) {
  Llama<T> model(weights, options);
  const auto responses = static_cast<std::ptrdiff_t>(model.forward(batch).size());
  std::vector<T> g(weights.layout.size(), T(0));
  model.backward(std::vector<T>(coefficients.begin(), coefficients.begin() + responses), g);
  return g;
}

}  // namespace

TEST_CASE("A prompt that is read gives the log-probabilities of one that is not, past one piece too") {
  const auto weights = test::random_weights<double>(config());
  for (const std::size_t length : {1, 2, 90, 513, 600})
    for (const bool both : {true, false}) {
      Example example(length);
      example.both = both;
      const PackedSequences plain = example.batch(false), read = example.batch(true);
      CAPTURE(length, both);
      CHECK(read.tokens.size() + read.read_tokens.size() == plain.tokens.size());
      CHECK(read.read_tokens.size() == length - 1);
      Llama<double> model(weights);
      const auto expected = model.response_logps(plain), logps = model.response_logps(read);
      REQUIRE(logps.size() == expected.size());
      for (std::size_t i = 0; i < logps.size(); ++i) CHECK(logps[i] == Approx(expected[i]).epsilon(1e-12));
      CHECK(model.forward(read) == logps);
    }
}

TEST_CASE("Several prompts are read one after the other and do not see each other") {
  const auto weights = test::random_weights<double>(config());
  const Example first(40), second(70);
  const std::span<const std::int32_t> chosen[] = {first.chosen};
  PackedSequences both, alone;
  both.append_read(first.prompt, chosen);
  both.append_read(second.prompt, chosen);
  alone.append(second.prompt, second.chosen);
  Llama<double> model(weights);
  CHECK(model.response_logps(both)[1] == Approx(model.response_logps(alone)[0]).epsilon(1e-12));
}

TEST_CASE("The gradient equals central differences with the read keys and values frozen, and only then",
          "[slow]") {
  auto weights = test::random_weights<double>(config());
  const std::vector<double> start(weights.data.begin(), weights.data.end());
  for (const bool both : {true, false}) {
    CAPTURE(both);
    Example example;
    example.both = both;
    const PackedSequences batch = example.batch(true);
    const std::vector<double> g = gradient(weights, batch);
    Llama<double> model(weights);
    const auto moving = [&] { return weighted(model.response_logps(batch)); };
    const auto frozen = [&] {
      const std::vector<double> now(weights.data.begin(), weights.data.end());
      std::copy(start.begin(), start.end(), weights.data.begin());
      model.read(batch);
      std::copy(now.begin(), now.end(), weights.data.begin());
      return weighted(model.response_logps(batch));
    };
    double worst_moving = 0;
    for (const TensorSlot& slot : weights.layout.slots()) {
      CAPTURE(slot.name);
      const std::size_t step = std::max<std::size_t>(1, slot.size / 5);
      const std::span<double> w(weights.data.data() + slot.offset, slot.size);
      const std::span<const double> dw(g.data() + slot.offset, slot.size);
      CHECK(test::worst_gradient_error(w, dw, frozen, slot.size / 30, step) < 1e-6);
      worst_moving = std::max(worst_moving, test::worst_gradient_error(w, dw, moving, slot.size / 30, step));
    }
    CHECK(worst_moving > 1e-2);
  }
}

TEST_CASE("Where the prompt is one token nothing is read, and the gradient is the full one") {
  const auto weights = test::random_weights<float>(config());
  const Example example(1);
  CHECK(gradient(weights, example.batch(true)) == gradient(weights, example.batch(false)));
}

TEST_CASE("Reading, recompute or not and run after run, gives the same bits") {
  const auto weights = test::random_weights<float>(config());
  const PackedSequences batch = Example().batch(true);
  const auto g = gradient(weights, batch);
  CHECK(gradient(weights, batch) == g);
  CHECK(gradient(weights, batch, {.recompute = true}) == g);
}

TEST_CASE("What was read for one pass is not taken for the next") {
  auto weights = test::random_weights<float>(config());
  const PackedSequences batch = Example().batch(true);
  Llama<float> model(weights);
  const auto before = model.response_logps(batch);
  model.forward(batch);
  model.read(batch);  // in the memory of that forward
  std::vector<float> gradients(weights.layout.size());
  CHECK_THROWS_WITH(model.backward(before, gradients), Contains("no forward() went before"));
  for (float& w : weights.data) w *= 1.5f;
  CHECK(model.response_logps(batch) != Llama<float>(weights).response_logps(batch));
  CHECK(model.response_logps(batch) == Llama<float>(weights).response_logps(batch));
}

TEST_CASE("A read prompt is checked like any other, and cannot be scored") {
  const auto weights = test::random_weights<float>(config());
  Llama<float> model(weights);
  Example example;
  example.prompt[3] = 50;
  CHECK_THROWS_WITH(model.forward(example.batch(true)), Contains("read_tokens[3]: 50 is not in"));
  CHECK_THROWS_WITH(model.forward(Example(1019).batch(true)), Contains("does not fit the model's"));
  PackedSequences batch = Example().batch(true);
  CHECK_THROWS_WITH(batch.score_prompt(2), Contains("read without a gradient"));
  CHECK(batch.score_prompt(0) == 4);
  const std::span<const std::int32_t> none;
  CHECK_THROWS_WITH(batch.append_read({}, {&none, 1}), Contains("prompt: is empty"));
}
