// A model whose products round their operands to bfloat16, beside the same model in float32.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "catch.hpp"
#include "random_values.hpp"
#include "solopo/kernels/bf16_product.hpp"
#include "solopo/kernels/native_bf16.hpp"
#include "solopo/model/decoder.hpp"
#include "solopo/model/llama.hpp"
#include "tensor_distance.hpp"
#include "tiny_llama.hpp"

using namespace solopo;

namespace {

using Widened = kernels::Bf16Product<kernels::WidenedMultiply>;

struct Result {
  std::vector<float> logps, gradient;
};

template <class Product>
Result run(const LlamaWeights<float>& weights, const PackedSequences& batch) {
  const std::vector<float> coefficients = {0.3f, -1.2f, 0.7f};
  Llama<float, Product> model(weights);
  Result out{model.forward(batch), std::vector<float>(weights.layout.size())};
  model.backward(coefficients, out.gradient);
  return out;
}

struct Errors {
  double logp = 0, gradient = 0;  // a token [nats]; the worst tensor
};

template <class Product>
Errors errors_of(const LlamaWeights<float>& weights, const PackedSequences& batch, const Result& truth) {
  const Result rounded = run<Product>(weights, batch);
  std::vector<int> tokens(truth.logps.size());
  for (const auto& target : batch.targets) ++tokens[static_cast<std::size_t>(target.response)];
  Errors out;
  for (const float logp : rounded.logps) REQUIRE(std::isfinite(logp));
  for (const float g : rounded.gradient) REQUIRE(std::isfinite(g));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    out.logp = std::max(out.logp, std::abs(double(rounded.logps[i]) - double(truth.logps[i])) / tokens[i]);
  for (const TensorSlot& slot : weights.layout.slots())
    out.gradient = std::max(out.gradient, test::tensor_distance(slot, rounded.gradient, truth.gradient));
  return out;
}

PackedSequences example() {
  const auto prompt = test::random_tokens(70, 50, "prompt"), a = test::random_tokens(5, 50, "a"),
             b = test::random_tokens(9, 50, "b"), other = test::random_tokens(33, 50, "other"),
             y = test::random_tokens(4, 50, "y");
  PackedSequences batch;
  const std::span<const std::int32_t> both[] = {a, b};
  batch.append_shared(prompt, both);
  batch.append(other, y);
  return batch;
}

// What roundings of 2^-8 at most, independent of each other, come to in four products a layer and the head's
// forward, twice as many backward, two operands each; attention's own make it no larger here.
double gradient_limit(const LlamaConfig& c) {
  return std::ldexp(1.0, -8) * std::sqrt(2.0 * 3.0 * (4.0 * c.num_hidden_layers + 1.0));
}

}  // namespace

TEST_CASE("bf16 products move log-probabilities and gradients by as much as bf16 rounds, and do move them") {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const PackedSequences batch = example();
  const Result truth = run<kernels::DefaultProduct>(weights, batch);
  const Errors errors = errors_of<Widened>(weights, batch, truth);
  const double limit = gradient_limit(weights.config);
  CAPTURE(errors.logp, errors.gradient, limit);
  CHECK(errors.logp < 0.01);
  CHECK(errors.gradient < limit);
  CHECK(errors.gradient > 1e-4);
  if (!kernels::has_native_bf16()) {
    std::puts(
        "SKIPPED: a model through the processor's own bf16 products (no bf16 instructions here, or a build "
        "without oneDNN)");
    return;
  }
  const Errors native = errors_of<kernels::NativeBf16Product>(weights, batch, truth);
  CAPTURE(native.logp, native.gradient);
  CHECK(native.logp < 0.01);
  CHECK(native.gradient < limit);
  CHECK(native.gradient > 1e-4);
}

namespace {

template <class Product>
void check_same_bits() {
  const auto weights = test::random_weights<float>(test::tiny_config());
  const PackedSequences batch = example();
  const Result first = run<Product>(weights, batch), second = run<Product>(weights, batch);
  CHECK(first.logps == second.logps);
  CHECK(first.gradient == second.gradient);
  Llama<float, Product> model(weights);
  CHECK(model.response_logps(batch) == first.logps);
}

// A decoder keeps a rounded copy of the weights, the model rounds them for each product: the same numbers.
template <class Product>
void check_decoder() {
  const auto weights = test::random_weights<float>(test::tiny_config());
  BasicDecoder<CpuDecoderEngine<Product>> decoder(weights);
  Llama<float, Product> model(weights);
  const auto prompt = test::random_tokens(70, 50, "prompt"),
             response = test::random_tokens(6, 50, "response");
  PackedSequences batch;
  batch.append(prompt, response);
  const double expected = model.response_logps(batch)[0];
  Llama<float> exact(weights);
  decoder.read_prompt(prompt);
  const double found = decoder.response_logp(response);
  CHECK(found == Approx(expected).epsilon(1e-3));
  CHECK(found != Approx(double(exact.response_logps(batch)[0])).epsilon(1e-7));
}

}  // namespace

TEST_CASE("bf16 products give the same bits again, and a pass without gradient the bits of one with") {
  check_same_bits<Widened>();
  if (kernels::has_native_bf16()) check_same_bits<kernels::NativeBf16Product>();
}

TEST_CASE("a decoder with bf16 products scores as the model with them") {
  check_decoder<Widened>();
  if (kernels::has_native_bf16()) check_decoder<kernels::NativeBf16Product>();
}

TEST_CASE("samples of a decoder with the processor's bf16 products are the same together and alone") {
  if (!kernels::has_native_bf16()) {
    std::puts("SKIPPED: samples by the processor's own bf16 products (no bf16 instructions here)");
    return;
  }
  const auto weights = test::random_weights<float>(test::tiny_config());
  BasicDecoder<CpuDecoderEngine<kernels::NativeBf16Product>> decoder(weights);
  const auto prompt = test::random_tokens(300, 50, "prompt"), other = test::random_tokens(33, 50, "other");
  const GenerateOptions one{.max_new_tokens = 10, .temperature = 0.85, .seed = 3, .stop_tokens = {2, 7}};
  GenerateOptions many = one;
  many.samples = 40;
  decoder.read_prompt(prompt);
  const auto alone = decoder.generate(one);
  const auto together = decoder.generate(many);
  decoder.add_prompt(other);
  const GenerateOptions both[] = {one, many};
  const auto beside = decoder.generate_all(both);
  CHECK(together[0].tokens == alone[0].tokens);
  CHECK(together[0].logp == alone[0].logp);
  CHECK(beside[0][0].tokens == alone[0].tokens);
  CHECK(beside[0][0].logp == alone[0].logp);
}
