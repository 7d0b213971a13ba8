#include "solopo/train/optimizer.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "solopo/core/random.hpp"

using namespace solopo;

namespace {

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  RandomStream random(seed, "normals");
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(random.normal());
  return out;
}

TensorSlot matrix(std::size_t offset, std::size_t size) {
  return {"matrix", {1, static_cast<std::int64_t>(size)}, offset, size};
}

}  // namespace

TEST_CASE("AdamW follows PyTorch's float64 AdamW") {
  std::ifstream file(SOLOPO_SOURCE_DIR "/tests/golden/train/adamw.json");
  const nlohmann::json golden = nlohmann::json::parse(file);
  for (const auto& c : golden["cases"]) {
    std::vector<float> weights = c["weights"].get<std::vector<float>>();
    const std::vector<TensorSlot> slots = {matrix(0, weights.size())};
    AdamW optimizer(slots, weights.size(),
                    {.beta1 = c["beta1"],
                     .beta2 = c["beta2"],
                     .epsilon = c["epsilon"],
                     .weight_decay = c["weight_decay"]});
    for (std::size_t t = 0; t < c["gradients"].size(); ++t) {
      optimizer.step(weights, c["gradients"][t].get<std::vector<float>>(), c["lr"]);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        CHECK(weights[i] == Approx(c["path"][t][i].get<double>()).epsilon(2e-6).margin(2e-7));
      }
    }
  }
}

TEST_CASE("The first step moves each weight by the learning rate against its gradient's sign") {
  std::vector<float> weights = {1, 1, 1};
  const std::vector<TensorSlot> slots = {matrix(0, 3)};
  AdamW optimizer(slots, 3);
  optimizer.step(weights, std::vector<float>{5, -1e-3f, 0}, 0.1);
  CHECK(weights[0] == Approx(0.9));
  CHECK(weights[1] == Approx(1.1).epsilon(1e-4));
  CHECK(weights[2] == 1.0f);
}

TEST_CASE("Decay shrinks matrices only, unless asked otherwise") {
  const std::vector<TensorSlot> slots = {matrix(0, 2), {"norm", {2}, 2, 2}};
  const std::vector<float> zero(4);
  for (const bool vectors : {false, true}) {
    std::vector<float> weights = {1, 2, 1, 2};
    AdamW optimizer(slots, 4, {.weight_decay = 0.5, .decay_vectors = vectors});
    optimizer.step(weights, zero, 0.1);
    CHECK(weights[1] == Approx(1.9));
    CHECK(weights[3] == Approx(vectors ? 1.9 : 2.0));
  }
}

TEST_CASE("What lies between the tensors of the buffer is never touched") {
  std::vector<float> weights = {1, 9, 9, 1};
  const std::vector<TensorSlot> slots = {matrix(0, 1), matrix(3, 1)};
  AdamW optimizer(slots, 4, {.weight_decay = 0.1});
  optimizer.step(weights, std::vector<float>{1, 1, 1, 1}, 0.1);
  CHECK(weights[1] == 9.0f);
  CHECK(weights[2] == 9.0f);
  CHECK(weights[3] != 1.0f);
}

TEST_CASE("A scale on the gradients is that of scaled gradients") {
  std::vector<float> a = normals(5000, 1), b = a;
  const std::vector<float> g = normals(5000, 2);
  std::vector<float> half = g;
  for (float& x : half) x *= 0.5f;
  const std::vector<TensorSlot> slots = {matrix(0, 5000)};
  AdamW first(slots, 5000), second(slots, 5000);
  first.step(a, g, 1e-3, 0.5f);
  second.step(b, half, 1e-3);
  CHECK(a == b);
}

TEST_CASE("The global norm is that of a sum in long double, also past a chunk's edge") {
  for (const std::size_t n : {0u, 1u, 7u, 4096u, 4097u, 50001u}) {
    const std::vector<float> g = normals(n, n + 1);
    long double sum = 0;
    for (const float x : g) sum += static_cast<long double>(x) * x;
    CHECK(global_norm(g) == Approx(static_cast<double>(std::sqrt(sum))).epsilon(1e-13));
  }
}

TEST_CASE("The global norm and the update have the same bits with one and with several threads") {
  const std::vector<float> g = normals(100003, 4);
  std::vector<float> one = normals(100003, 5), many = one;
  const std::vector<TensorSlot> slots = {matrix(0, 100003)};
  AdamW a(slots, 100003), b(slots, 100003);
  const int before = kernels::thread_count();
  kernels::set_thread_count(1);
  const double norm = global_norm(g);
  for (int i = 0; i < 3; ++i) a.step(one, g, 1e-3);
  kernels::set_thread_count(5);
  CHECK(global_norm(g) == norm);
  for (int i = 0; i < 3; ++i) b.step(many, g, 1e-3);
  kernels::set_thread_count(before);
  CHECK(one == many);
}

TEST_CASE("A bad gradient shows in the norm, and clipping leaves small gradients alone") {
  std::vector<float> g = normals(10, 1);
  g[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(std::isfinite(global_norm(g)));
  CHECK(clip_scale(0.5, 1.0) == 1.0f);
  CHECK(clip_scale(4.0, 1.0) == Approx(0.25).epsilon(1e-5));
  CHECK(clip_scale(4.0, 0.0) == 1.0f);
}

TEST_CASE("Settings out of range are refused by name") {
  const std::vector<TensorSlot> slots;
  CHECK_THROWS_WITH(AdamW(slots, 0, {.beta1 = 1.0}), Catch::StartsWith("beta1"));
  CHECK_THROWS_WITH(AdamW(slots, 0, {.beta2 = -0.1}), Catch::StartsWith("beta2"));
  CHECK_THROWS_WITH(AdamW(slots, 0, {.epsilon = 0}), Catch::StartsWith("epsilon"));
  CHECK_THROWS_WITH(AdamW(slots, 0, {.weight_decay = -1}), Catch::StartsWith("weight_decay"));
  AdamW optimizer(slots, 2);
  std::vector<float> weights(3);
  CHECK_THROWS_AS(optimizer.step(weights, weights, 0.1), ArgumentError);
}
