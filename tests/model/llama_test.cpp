#include "solopo/model/llama.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"
#include "solopo/kernels/parallel.hpp"
#include "tensor_distance.hpp"
#include "tiny_llama.hpp"

using namespace solopo;
using Ids = std::vector<std::int32_t>;

namespace {

struct Example {
  Ids prompt = test::random_tokens(70, 50, "prompt"), a = test::random_tokens(5, 50, "a"),
      b = test::random_tokens(1, 50, "b"), c = test::random_tokens(9, 50, "c"),
      other = test::random_tokens(33, 50, "other"), y = test::random_tokens(4, 50, "y");

  [[nodiscard]] PackedSequences shared() const {
    PackedSequences batch;
    const std::span<const std::int32_t> all[] = {a, b, c};
    batch.append_shared(prompt, all);
    batch.append(other, y);
    return batch;
  }
  [[nodiscard]] PackedSequences separate() const {
    PackedSequences batch;
    for (const Ids* r : {&a, &b, &c}) batch.append(prompt, *r);
    batch.append(other, y);
    return batch;
  }
};

template <class T>
std::vector<T> gradient(const LlamaWeights<T>& weights, const PackedSequences& batch,
                        LlamaOptions options = {}) {
  const std::vector<T> coefficients = {T(0.3), T(-1.2), T(0.7), T(1.1)};
  Llama<T> model(weights, options);
  model.forward(batch);
  std::vector<T> g(weights.layout.size(), T(0));
  model.backward(coefficients, g);
  return g;
}

}  // namespace

TEST_CASE("the gradient of every weight equals central differences; a wrong sign is found") {
  for (const bool tied : {false, true}) {
    CAPTURE(tied);
    auto weights = test::random_weights<double>(test::tiny_config(tied));
    const Example example;
    const PackedSequences batch = example.shared();
    std::vector<double> g = gradient(weights, batch);
    Llama<double> model(weights);
    const auto loss = [&] {
      const auto l = model.response_logps(batch);
      return 0.3 * l[0] - 1.2 * l[1] + 0.7 * l[2] + 1.1 * l[3];
    };
    for (const TensorSlot& slot : weights.layout.slots()) {
      CAPTURE(slot.name);
      // Some elements of each tensor, from different places.
      const std::size_t step = std::max<std::size_t>(1, slot.size / 5);
      std::span<double> w(weights.data.data() + slot.offset, slot.size);
      std::span<double> dw(g.data() + slot.offset, slot.size);
      CHECK(test::worst_gradient_error(w, dw, loss, slot.size / 30, step) < 1e-6);
    }
    const TensorSlot& down = weights.layout.slot("model.layers.0.mlp.down_proj.weight");
    for (std::size_t i = 0; i < down.size; ++i) g[down.offset + i] = -g[down.offset + i];
    std::span<double> w(weights.data.data() + down.offset, down.size);
    CHECK(test::worst_gradient_error(w, std::span<double>(g.data() + down.offset, down.size), loss, 0, 97) >
          1e-3);
  }
}

TEST_CASE("halving a step quarters what the gradient leaves unexplained") {
  auto weights = test::random_weights<double>(test::tiny_config());
  const PackedSequences batch = Example().shared();
  const auto g = gradient(weights, batch);
  const auto direction = test::normal_values<double>(g.size(), "direction");
  double slope = 0;
  for (std::size_t i = 0; i < g.size(); ++i) slope += g[i] * direction[i];
  Llama<double> model(weights);
  const auto base = weights.data;
  const auto at = [&](double h) {
    for (std::size_t i = 0; i < g.size(); ++i) weights.data[i] = base[i] + h * direction[i];
    const auto l = model.response_logps(batch);
    return 0.3 * l[0] - 1.2 * l[1] + 0.7 * l[2] + 1.1 * l[3];
  };
  const double f0 = at(0), h = 1e-4;
  const double coarse = std::abs(at(h) - f0 - h * slope), fine = std::abs(at(h / 2) - f0 - h / 2 * slope);
  const double order = std::log2(coarse / fine);
  CHECK(order > 1.9);
  CHECK(order < 2.1);
}

TEST_CASE("a shared prompt gives the log-probabilities and gradients of separate sequences") {
  const auto weights = test::random_weights<double>(test::tiny_config());
  const Example example;
  const PackedSequences shared = example.shared(), separate = example.separate();
  CHECK(shared.tokens.size() < separate.tokens.size());
  Llama<double> model(weights);
  const auto a = model.response_logps(shared), b = model.response_logps(separate);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).epsilon(1e-12));
  const auto ga = gradient(weights, shared), gb = gradient(weights, separate);
  for (const TensorSlot& slot : weights.layout.slots()) {
    CAPTURE(slot.name);
    CHECK(test::tensor_distance(slot, ga, gb) <= 1e-10);
  }
}

TEST_CASE("packing sequences does not change a response's log-probability") {
  const auto weights = test::random_weights<double>(test::tiny_config());
  const Example example;
  Llama<double> model(weights);
  const auto packed = model.response_logps(example.separate());
  PackedSequences alone;
  alone.append(example.other, example.y);
  CHECK(model.response_logps(alone)[0] == Approx(packed[3]).epsilon(1e-12));
}

TEST_CASE("forward, scoring and recompute agree bit for bit in float") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const PackedSequences batch = Example().shared();
  Llama<float> plain(weights), recompute(weights, {.recompute = true});
  const auto logps = plain.response_logps(batch);
  CHECK(plain.forward(batch) == logps);
  CHECK(recompute.forward(batch) == logps);
  CHECK(gradient(weights, batch) == gradient(weights, batch, {.recompute = true}));
  CHECK(recompute.peak_bytes() < plain.peak_bytes());
}

TEST_CASE("an MLP that works on few rows at once gives the same numbers in less memory") {
  const auto weights = test::random_weights<double>(test::tiny_config());
  for (const PackedSequences& batch : {Example().shared(), Example().separate()})
    for (const bool recompute : {false, true}) {
      Llama<double> whole(weights, {.recompute = recompute});
      const auto logps = whole.forward(batch);
      const auto expected = gradient(weights, batch, {.recompute = recompute});
      for (const std::int32_t rows : {1, 7, 64, 100000}) {
        CAPTURE(recompute, rows);
        const LlamaOptions how{.recompute = recompute, .mlp_rows = rows};
        Llama<double> model(weights, how);
        const auto few = model.forward(batch);
        CHECK(model.response_logps(batch) == few);
        for (std::size_t i = 0; i < logps.size(); ++i) CHECK(few[i] == Approx(logps[i]).epsilon(1e-12));
        const auto g = gradient(weights, batch, how);
        for (const TensorSlot& slot : weights.layout.slots()) {
          CAPTURE(slot.name);
          CHECK(test::tensor_distance(slot, g, expected) <= 1e-12);
        }
        CHECK((model.peak_bytes() < whole.peak_bytes()) == (rows < 100));
      }
    }
}

TEST_CASE("the gradient is the same bits run after run") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const PackedSequences batch = Example().shared();
  CHECK(gradient(weights, batch) == gradient(weights, batch));
}

TEST_CASE("another number of threads agrees to rounding, and gives its own bits again") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const PackedSequences batch = Example().shared();
  struct Result {
    std::vector<float> logps, gradient;
    bool operator==(const Result&) const = default;
  };
  const int before = kernels::thread_count();
  const auto with = [&](int threads) {
    kernels::set_thread_count(threads);
    Result out{Llama<float>(weights).response_logps(batch), gradient(weights, batch)};
    kernels::set_thread_count(before);
    return out;
  };
  const Result one = with(1);
  for (const int threads : {1, 2, 3}) {
    CAPTURE(threads);
    const Result other = with(threads);
    CHECK(with(threads) == other);
    for (std::size_t i = 0; i < one.logps.size(); ++i)
      CHECK(other.logps[i] == Approx(one.logps[i]).epsilon(1e-5));
    for (const TensorSlot& slot : weights.layout.slots()) {
      CAPTURE(slot.name);
      CHECK(test::tensor_distance(slot, other.gradient, one.gradient) <= 1e-5);
    }
  }
}

TEST_CASE("float agrees with double") {
  const auto exact = test::random_weights<double>(test::tiny_config());
  LlamaWeights<float> rounded(exact.config);
  for (std::size_t i = 0; i < exact.data.size(); ++i) rounded.data[i] = static_cast<float>(exact.data[i]);
  const PackedSequences batch = Example().shared();
  Llama<double> d(exact);
  Llama<float> f(rounded);
  const auto a = d.response_logps(batch);
  const auto b = f.response_logps(batch);
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(b[i] == Approx(a[i]).epsilon(2e-5));
}

TEST_CASE("a response's statistic has the gradient of its definition through the whole model") {
  auto weights = test::random_weights<double>(test::tiny_config(true));
  const auto other = test::random_weights<double>(test::tiny_config(true), 8);
  const PackedSequences batch = Example().shared();
  Llama<double> reference(other), model(weights), scorer(weights);
  reference.response_logps(batch);
  const std::vector<double> by_logp = {0.3, -1.2, 0.7, 1.1}, by_statistic = {-0.4, 0.9, 0.2, -1.5};
  for (const Statistic kind : {Statistic::collision_logp, Statistic::sequential_kl}) {
    CAPTURE(static_cast<int>(kind));
    const kernels::RowStatistic<double> statistic{.kind = kind, .reference = reference.head_rows()};
    CHECK(model.forward(batch, statistic) == scorer.response_logps(batch));
    std::vector<double> g(weights.layout.size(), 0.0);
    model.backward(by_logp, g, by_statistic);
    const auto loss = [&] {
      const auto l = scorer.response_logps(batch, statistic);
      double sum = 0;
      for (std::size_t r = 0; r < l.size(); ++r)
        sum += by_logp[r] * l[r] + by_statistic[r] * scorer.statistics()[r];
      return sum;
    };
    loss();
    for (const double s : scorer.statistics()) CHECK((kind == Statistic::collision_logp ? s < 0 : s > 0));
    for (const TensorSlot& slot : weights.layout.slots()) {
      CAPTURE(slot.name);
      std::span<double> w(weights.data.data() + slot.offset, slot.size);
      std::span<double> dw(g.data() + slot.offset, slot.size);
      CHECK(test::worst_gradient_error(w, dw, loss, slot.size / 30, std::max<std::size_t>(1, slot.size / 4)) <
            1e-6);
    }
  }
}

TEST_CASE("a statistic with a reference of another batch is refused") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Llama<float> model(weights), reference(weights);
  const PackedSequences batch = Example().shared();
  PackedSequences smaller;
  smaller.append(Ids{1}, Ids{3});
  reference.response_logps(smaller);
  CHECK_THROWS_WITH(
      model.forward(batch, {.kind = Statistic::sequential_kl, .reference = reference.head_rows()}),
      Catch::Contains("reference") && Catch::Contains("1 rows"));
}

TEST_CASE("wrong input is refused by name before anything is computed") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  Llama<float> model(weights);
  PackedSequences batch;
  CHECK_THROWS_WITH(model.response_logps(batch), Catch::Contains("no response"));
  batch.append(Ids{1, 50}, Ids{3});
  CHECK_THROWS_WITH(model.response_logps(batch), Catch::Contains("tokens[1]: 50"));
  PackedSequences target;
  target.append(Ids{1}, Ids{-1});
  CHECK_THROWS_WITH(model.response_logps(target), Catch::Contains("targets[0]"));
  PackedSequences longer;
  longer.append(Ids(513, 1), Ids{3});
  CHECK_THROWS_WITH(model.response_logps(longer), Catch::Contains("513") && Catch::Contains("512"));
  std::vector<float> g(weights.layout.size());
  CHECK_THROWS_WITH(model.backward(std::vector<float>{1.0f}, g), Catch::Contains("forward"));
  PackedSequences good;
  good.append(Ids{1}, Ids{3});
  model.forward(good);
  CHECK_THROWS_WITH(model.backward(std::vector<float>{1.0f, 2.0f}, g), Catch::Contains("dlogps"));
}
