#include "solopo/model/lora.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "gradient_check.hpp"
#include "random_values.hpp"
#include "solopo/model/llama.hpp"
#include "tiny_llama.hpp"
#include "tiny_lora.hpp"

using namespace solopo;
using Catch::Contains;
using Ids = std::vector<std::int32_t>;

namespace {

const std::vector<double> coefficients = {0.3, -1.2, 0.7};

// Two responses that share a prompt, and one under a longer prompt that may be read without a gradient.
PackedSequences batch(bool read = false) {
  const Ids prompt = test::random_tokens(20, 50, "prompt"), longer = test::random_tokens(37, 50, "long"),
            a = test::random_tokens(5, 50, "a"), b = test::random_tokens(3, 50, "b");
  const std::span<const std::int32_t> both[] = {a, b};
  PackedSequences out;
  out.append_shared(prompt, both);
  if (read) {
    out.append_read(longer, std::span(both).first(1));
  } else {
    out.append(longer, a);
  }
  return out;
}

template <class T>
std::vector<T> gradient(const LlamaWeights<T>& weights, const LoraWeights<T>& lora,
                        const PackedSequences& sequences, LlamaOptions options = {}) {
  Llama<T> model(weights, lora, options);
  model.forward(sequences);
  std::vector<T> g(lora.layout.size(), T(0));
  model.backward(std::vector<T>(coefficients.begin(), coefficients.end()), g);
  return g;
}

template <class T>
double weighted(const std::vector<T>& logps) {
  double sum = 0;
  for (std::size_t i = 0; i < logps.size(); ++i) sum += coefficients[i] * double(logps[i]);
  return sum;
}

const Projections target_sets[] = {Projections::all,
                                   Projections::attention,
                                   Projections::mlp,
                                   Projections::q | Projections::v,
                                   Projections::k | Projections::up,
                                   Projections::down};

}  // namespace

TEST_CASE("The gradient of every adapter equals central differences; a wrong sign is found") {
  for (const Projections targets : target_sets)
    for (const bool tied : {false, true})
      for (const bool bias : {false, true}) {
        CAPTURE(static_cast<unsigned>(targets), tied, bias);
        if (targets != Projections::all && (tied || !bias)) continue;
        const auto weights = test::random_weights<double>(test::tiny_config(tied, bias));
        auto lora = test::random_lora<double>(weights.config, {.rank = 3, .alpha = 5, .targets = targets});
        const PackedSequences sequences = batch();
        std::vector<double> g = gradient(weights, lora, sequences);
        Llama<double> model(weights, lora);
        const auto loss = [&] { return weighted(model.response_logps(sequences)); };
        for (const TensorSlot& slot : lora.layout.slots()) {
          CAPTURE(slot.name);
          const std::span<double> w(lora.data.data() + slot.offset, slot.size);
          const std::span<double> dw(g.data() + slot.offset, slot.size);
          CHECK(test::worst_gradient_error(w, dw, loss, slot.size / 30, slot.size / 2) < 1e-6);
        }
        const TensorSlot& first = lora.layout.slots().front();
        for (std::size_t i = 0; i < first.size; ++i) g[first.offset + i] *= -1;
        CHECK(test::worst_gradient_error({lora.data.data() + first.offset, first.size},
                                         {g.data() + first.offset, first.size}, loss, 0, 7) > 1e-3);
      }
}

TEST_CASE("With a prompt that is read the gradient has its keys and values frozen") {
  const auto weights = test::random_weights<double>(test::tiny_config());
  auto lora = test::random_lora<double>(weights.config, {.rank = 2, .alpha = 4});
  const std::vector<double> start(lora.data.begin(), lora.data.end());
  const PackedSequences sequences = batch(true);
  Llama<double> model(weights, lora);
  const auto plain = model.response_logps(batch(false)), read = model.response_logps(sequences);
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(read[i] == Approx(plain[i]).epsilon(1e-12));
  const std::vector<double> g = gradient(weights, lora, sequences);
  const auto frozen = [&] {
    const std::vector<double> now(lora.data.begin(), lora.data.end());
    std::copy(start.begin(), start.end(), lora.data.begin());
    model.read(sequences);
    std::copy(now.begin(), now.end(), lora.data.begin());
    return weighted(model.response_logps(sequences));
  };
  for (const TensorSlot& slot : lora.layout.slots()) {
    CAPTURE(slot.name);
    CHECK(test::worst_gradient_error({lora.data.data() + slot.offset, slot.size},
                                     {g.data() + slot.offset, slot.size}, frozen, slot.size / 30,
                                     slot.size / 4) < 1e-6);
  }
}

TEST_CASE("An adapter on keys alone reaches a prompt that is read") {
  const auto weights = test::random_weights<double>(test::tiny_config());
  for (const Projections targets :
       {Projections::q, Projections::k, Projections::v, Projections::q | Projections::k}) {
    CAPTURE(static_cast<unsigned>(targets));
    const auto lora = test::random_lora<double>(weights.config, {.rank = 2, .alpha = 4, .targets = targets});
    Llama<double> model(weights, lora);
    const auto plain = model.response_logps(batch(false)), read = model.response_logps(batch(true));
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(read[i] == Approx(plain[i]).epsilon(1e-12));
  }
}

TEST_CASE("Recompute or not, shared or not, run after run: the same gradient") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const auto lora = test::random_lora<float>(weights.config, {.rank = 4, .alpha = 8});
  for (const bool read : {false, true}) {
    const auto g = gradient(weights, lora, batch(read));
    CHECK(gradient(weights, lora, batch(read)) == g);
    CHECK(gradient(weights, lora, batch(read), {.recompute = true}) == g);
  }
  const auto exact = test::random_weights<double>(test::tiny_config());
  for (const bool read : {false, true})
    for (const bool recompute : {false, true}) {
      const auto thin = test::random_lora<double>(exact.config, {.rank = 4, .alpha = 8});
      const auto all = gradient(exact, thin, batch(read)),
                 parts = gradient(exact, thin, batch(read), {.recompute = recompute, .mlp_rows = 9});
      for (std::size_t i = 0; i < all.size(); ++i) CHECK(parts[i] == Approx(all[i]).margin(1e-10));
    }
  const auto wide = test::random_lora<double>(exact.config, {.rank = 4, .alpha = 8});
  PackedSequences separate;
  const Ids prompt = test::random_tokens(20, 50, "prompt"), longer = test::random_tokens(37, 50, "long"),
            a = test::random_tokens(5, 50, "a"), b = test::random_tokens(3, 50, "b");
  separate.append(prompt, a);
  separate.append(prompt, b);
  separate.append(longer, a);
  const auto shared = gradient(exact, wide, batch()), apart = gradient(exact, wide, separate);
  for (std::size_t i = 0; i < shared.size(); ++i) CHECK(shared[i] == Approx(apart[i]).margin(1e-10));
}

TEST_CASE("Adapters as they begin leave every log-probability as it is, bit for bit") {
  for (const bool tied : {false, true}) {
    const auto weights = test::random_weights<float>(test::tiny_config(tied));
    const auto lora = initial_lora<float>(weights.config, {.rank = 4, .alpha = 8}, 3);
    Llama<float> base(weights), adapted(weights, lora);
    for (const bool read : {false, true})
      CHECK(adapted.response_logps(batch(read)) == base.response_logps(batch(read)));
    CHECK(adapted.last_logits(Ids{1, 2, 3}) == base.last_logits(Ids{1, 2, 3}));
    // A then has no gradient, and B has one.
    const auto g = gradient(weights, lora, batch());
    for (const TensorSlot& slot : lora.layout.slots()) {
      CAPTURE(slot.name);
      const bool is_a = slot.name.ends_with(".lora_A.weight");
      CHECK(std::any_of(g.begin() + std::ptrdiff_t(slot.offset),
                        g.begin() + std::ptrdiff_t(slot.offset + slot.size),
                        [](float x) { return x != 0; }) == !is_a);
    }
  }
}

TEST_CASE("Merged weights are the model with its adapters, to rounding") {
  for (const Projections targets : target_sets) {
    CAPTURE(static_cast<unsigned>(targets));
    const auto weights = test::random_weights<double>(test::tiny_config());
    const auto lora = test::random_lora<double>(weights.config, {.rank = 3, .alpha = 5, .targets = targets});
    auto merged = weights;
    merge(merged, lora);
    const auto expected = Llama<double>(weights, lora).response_logps(batch()),
               logps = Llama<double>(merged).response_logps(batch()),
               before = Llama<double>(weights).response_logps(batch());
    for (std::size_t i = 0; i < logps.size(); ++i) {
      CHECK(logps[i] == Approx(expected[i]).epsilon(1e-12));
      CHECK(std::abs(logps[i] - before[i]) > 1e-4);
    }
    // Only the maps that have an adapter changed.
    for (const TensorSlot& slot : weights.layout.slots()) {
      CAPTURE(slot.name);
      const bool adapted =
          std::any_of(projection_names.begin(), projection_names.end(), [&](const NamedProjection& p) {
            return has_any(targets, p.projection) && slot.name.ends_with(std::string(p.name) + ".weight");
          });
      CHECK(std::equal(weights.tensor(slot.name).begin(), weights.tensor(slot.name).end(),
                       merged.tensor(slot.name).begin()) == !adapted);
    }
  }
}

TEST_CASE("The chain rule through a merge: dA = s B^T dW and dB = s dW A^T") {
  const auto weights = test::random_weights<double>(test::tiny_config());
  const auto lora = test::random_lora<double>(weights.config, {.rank = 3, .alpha = 5});
  auto merged = weights;
  merge(merged, lora);
  const PackedSequences sequences = batch();
  const auto g = gradient(weights, lora, sequences);
  Llama<double> model(merged);
  model.forward(sequences);
  std::vector<double> dw(weights.layout.size());
  model.backward(coefficients, dw);
  for (const TensorSlot& slot : weights.layout.slots()) {
    const std::string name = "base_model.model." + slot.name.substr(0, slot.name.size() - 6) + "lora_";
    const auto has = [&](const TensorSlot& s) { return s.name == name + "A.weight"; };
    if (std::none_of(lora.layout.slots().begin(), lora.layout.slots().end(), has)) continue;
    CAPTURE(slot.name);
    const TensorSlot &a = lora.layout.slot(name + "A.weight"), &b = lora.layout.slot(name + "B.weight");
    const auto out = std::size_t(slot.shape[0]), in = std::size_t(slot.shape[1]);
    for (std::size_t k = 0; k < 3; ++k) {
      for (std::size_t j = 0; j < in; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < out; ++i)
          sum += lora.data[b.offset + i * 3 + k] * dw[slot.offset + i * in + j];
        CHECK(g[a.offset + k * in + j] == Approx(5.0 / 3 * sum).margin(1e-10));
      }
      for (std::size_t i = 0; i < out; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < in; ++j)
          sum += lora.data[a.offset + k * in + j] * dw[slot.offset + i * in + j];
        CHECK(g[b.offset + i * 3 + k] == Approx(5.0 / 3 * sum).margin(1e-10));
      }
    }
  }
}

TEST_CASE("A statistic has the gradient of its definition through the adapters, against the base itself") {
  const auto weights = test::random_weights<double>(test::tiny_config(true));
  auto lora = test::random_lora<double>(weights.config, {.rank = 2, .alpha = 4});
  const PackedSequences sequences = batch();
  Llama<double> reference(weights), model(weights, lora), scorer(weights, lora);
  reference.response_logps(sequences);
  const kernels::RowStatistic<double> statistic{.kind = Statistic::sequential_kl,
                                                .reference = reference.head_rows()};
  model.forward(sequences, statistic);
  std::vector<double> g(lora.layout.size());
  model.backward(std::vector<double>(3, 0.0), g, coefficients);
  const auto loss = [&] {
    scorer.response_logps(sequences, statistic);
    return weighted(std::vector<double>(scorer.statistics().begin(), scorer.statistics().end()));
  };
  CHECK(loss() != 0);
  for (const TensorSlot& slot : lora.layout.slots()) {
    CAPTURE(slot.name);
    CHECK(test::worst_gradient_error({lora.data.data() + slot.offset, slot.size},
                                     {g.data() + slot.offset, slot.size}, loss, slot.size / 30,
                                     slot.size / 3) < 1e-6);
  }
}

TEST_CASE("A adapters begin uniform within 1 / sqrt(in), B at zero, and a seed gives the same bits") {
  const LlamaConfig config = test::tiny_config();
  const auto lora = initial_lora<float>(config, {.rank = 8, .alpha = 16}, 3);
  for (const TensorSlot& slot : lora.layout.slots()) {
    CAPTURE(slot.name);
    const std::span values(lora.data.data() + slot.offset, slot.size);
    if (slot.name.ends_with("lora_B.weight")) {
      CHECK(std::all_of(values.begin(), values.end(), [](float x) { return x == 0; }));
      continue;
    }
    const float bound = 1 / std::sqrt(float(slot.shape[1]));
    CHECK(*std::max_element(values.begin(), values.end()) < bound);
    CHECK(*std::max_element(values.begin(), values.end()) > 0.9f * bound);
    CHECK(*std::min_element(values.begin(), values.end()) > -bound);
    CHECK(*std::min_element(values.begin(), values.end()) < -0.9f * bound);
  }
  CHECK(initial_lora<float>(config, {.rank = 8, .alpha = 16}, 3).data == lora.data);
  CHECK(initial_lora<float>(config, {.rank = 8, .alpha = 16}, 4).data != lora.data);
}

TEST_CASE("Adapters have PEFT's names, and those that read the same rows lie below each other") {
  const LoraLayout layout(test::tiny_config(),
                          {.rank = 4, .alpha = 8, .targets = Projections::k | Projections::v});
  REQUIRE(layout.slots().size() == 8);
  const TensorSlot &k = layout.slot("base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight"),
                   &v = layout.slot("base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight"),
                   &b = layout.slot("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight");
  CHECK(k.shape == std::vector<std::int64_t>{4, 24});
  CHECK(v.offset == k.offset + k.size);
  CHECK(b.shape == std::vector<std::int64_t>{12, 4});
}

TEST_CASE("A configuration that cannot be, and another model's adapters, are refused by name") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const auto make = [&](const LoraConfig& c) { return LoraWeights<float>(weights.config, c); };
  CHECK_THROWS_WITH(make({.rank = 0}), Contains("rank: 0 is not between"));
  CHECK_THROWS_WITH(make({.rank = 1 << 20}), Contains("rank"));
  CHECK_THROWS_WITH(make({.alpha = 0}), Contains("alpha"));
  CHECK_THROWS_WITH(make({.alpha = NAN}), Contains("alpha"));
  CHECK_THROWS_WITH(make({.targets = Projections::none}), Contains("targets"));
  LlamaConfig other = weights.config;
  other.intermediate_size = 48;
  const LoraWeights<float> foreign(other, {});
  auto target = weights;
  CHECK_THROWS_AS(merge(target, foreign), ArgumentError);
  CHECK_THROWS_WITH(Llama<float>(weights, foreign), Contains("not of a model of this shape"));
  CHECK_THROWS_AS(Llama<float>(weights, LoraWeights<float>()), ArgumentError);
  const auto lora = make({});
  Llama<float> model(weights, lora);
  const PackedSequences sequences = batch();
  model.forward(sequences);
  std::vector<float> of_weights(weights.layout.size());
  CHECK_THROWS_WITH(model.backward(std::vector<float>(3, 1.0f), of_weights), Contains("gradients"));
}
