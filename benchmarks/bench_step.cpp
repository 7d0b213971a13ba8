// One training step of SmolLM2-135M's shape, forward and backward, loss on the response rows: prints one JSON
// line a repetition, {"tokens", "seconds", "tokens_per_second", "forward_seconds", "peak_rss", ...},
// the same as benchmarks/peers/torch_step.py does for PyTorch.
//   bench_step [--tokens 1024] [--response 32] [--repetitions 3] [--threads N] [--recompute] [--stdin]
//   [--floor] [--lora-rank 0] [--dtype float32|bf16] [--mlp-rows 0]
// --lora-rank: adapters on every map instead of all weights.
// --dtype bf16: products of operands rounded to bfloat16, where the processor has instructions for them.
// --mlp-rows: how many rows the MLP works on at once; 0: all.
// --stdin: one repetition for each line read, so that a driver can take turns with another program.
// --floor: after each step the bare products of one layer over as many rows, forward and backward, for the
// rate that the step's floor is made of: floor_flops (layers 6 P_l T, attention 14 d_q S, head 6 V d M,
// nothing twice but attention's scores, of the last layer what is read) at that rate.
#include <iostream>
#include <optional>

#include "dtype.hpp"
#include "measure.hpp"
#include "random_model.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/kernels/chosen_product.hpp"
#include "solopo/model/lora.hpp"
#include "solopo/model/model_cost.hpp"
#include "step_products.hpp"

int main(int argc, char** argv) {
  using namespace solopo;
  long tokens = 1024, response = 32, layers = 0, lora_rank = 0, mlp_rows = 0;
  bool recompute = false, from_stdin = false, with_floor = false;
  std::string dtype = "float32";
  bench::Options options("bench_step");
  options.repetitions = 3;
  options.number("--tokens", tokens).number("--response", response);
  options.number("--layers", layers);  // fewer, for a quick try
  options.number("--lora-rank", lora_rank).number("--mlp-rows", mlp_rows).text("--dtype", dtype);
  options.flag("--recompute", recompute).flag("--stdin", from_stdin).flag("--floor", with_floor);
  options.parse(argc, argv);
  if (response >= tokens) {
    std::fputs("bench_step: --response must be below --tokens\n", stderr);
    return 2;
  }
  if (with_floor && lora_rank > 0) {
    std::fputs("bench_step: --floor is that of training all weights, not adapters\n", stderr);
    return 2;
  }
  const bool bf16 = bench::choose_dtype("bench_step", dtype);

  cost::ModelShape shape = cost::find_model_shape("smollm2-135m");
  if (layers > 0) shape.layers = layers;
  bench::RandomModel random_model(bench::config_of(shape));
  PackedSequences batch;
  // The last response token has no row: one more response token makes `tokens` rows, as a peer computes them.
  batch.append(random_model.ids(tokens - response), random_model.ids(response + 1));
  const std::vector<float> coefficient = {1.0f};
  std::optional<LoraWeights<float>> lora;
  cost::Lora adapters;
  if (lora_rank > 0) {
    lora =
        initial_lora<float>(random_model.weights.config, {.rank = static_cast<std::int32_t>(lora_rank)}, 1);
    adapters = lora_shape(lora->config);
    random_model.gradients.assign(lora->layout.size(), 0.0f);
    random_model.gradients.shrink_to_fit();
  }
  const LlamaOptions how{.recompute = recompute, .mlp_rows = static_cast<std::int32_t>(mlp_rows)};
  using Model = Llama<float, kernels::ChosenProduct>;
  Model model = lora ? Model(random_model.weights, *lora, how) : Model(random_model.weights, how);
  model.forward(batch);  // the first run pays for touching memory
  model.backward(coefficient, random_model.gradients);
  const cost::Work work = work_of(batch, scored_rows(batch));
  const cost::MemoryBytes memory =
      cost::training_memory(shape, work.tokens, work.head_rows, llama_memory(recompute, adapters, mlp_rows));
  const std::vector<bench::ProductShape> products = bench::layer_products(shape, tokens);
  const std::int64_t peak = bench::peak_rss();  // of the step alone, before the arrays of the bare products
  const std::vector<bench::ProductShape> none;
  bench::ProductArrays arrays(with_floor && !bf16 ? products : none);
  bench::Bf16ProductArrays bf16_arrays(with_floor && bf16 ? products : none);
  const auto bare_products = [&] {
    for (const bench::ProductShape& p : products) bf16 ? bf16_arrays.run(p) : arrays.run(p);
  };
  if (with_floor) bare_products();
  std::string line;
  for (long r = 0; from_stdin ? static_cast<bool>(std::getline(std::cin, line)) : r < options.repetitions;
       ++r) {
    const double start = bench::now(options);
    const float logp = model.forward(batch)[0];
    const double middle = bench::now(options);
    model.backward(coefficient, random_model.gradients);
    const double end = bench::now(options);
    io::Json values = {{"system", "solopo"},
                       {"product", bf16 ? kernels::NativeBf16Product::name : kernels::DefaultProduct::name},
                       {"dtype", dtype},
                       {"tokens", tokens},
                       {"response", response},
                       {"recompute", recompute},
                       {"lora_rank", lora_rank},
                       {"mlp_rows", mlp_rows},
                       {"seconds", end - start},
                       {"forward_seconds", middle - start},
                       {"tokens_per_second", static_cast<double>(tokens) / (end - start)},
                       {"peak_rss", with_floor ? peak : bench::peak_rss()},
                       {"model_bytes", memory.total() - memory.optimiser},  // no optimiser here
                       {"logp", logp}};
    if (with_floor) {
      bare_products();
      values["product_seconds"] = bench::now(options) - end;
      values["product_flops"] = bench::flops_of(products);
      values["floor_flops"] = cost::train_flops(shape, work).total();
    }
    bench::print_line("step", options, values);
  }
  return 0;
}
