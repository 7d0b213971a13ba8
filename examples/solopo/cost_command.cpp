#include "cost_command.hpp"

#include <fmt/format.h>

#include <ostream>

#include "solopo/cost/memory.hpp"
#include "solopo/cost/model_shapes.hpp"
#include "solopo/cost/named_schemes.hpp"
#include "solopo/model/language_model.hpp"
#include "solopo/model/model_cost.hpp"
#include "text_table.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

constexpr double gib = 1024.0 * 1024.0 * 1024.0;

cost::ModelShape shape_of(const CostCommandOptions& o) {
  if (!o.model.empty()) return model_shape(load_model_text(o.model).config);
  try {
    return cost::find_model_shape(o.model_shape);
  } catch (const ArgumentError&) {
    std::string names;
    for (const cost::NamedShape& known : cost::model_shapes)
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    throw UsageError("--model-shape: '" + printable(o.model_shape) + "' is not one of " + names +
                     "; --model reads a model's own");
  }
}

cost::RecordLengths lengths_of(const CostCommandOptions& o) {
  const auto tokens = [](const char* flag, std::int64_t value) {
    if (value < 1 || value > 100'000'000)
      throw UsageError(fmt::format("{}: {} must be between 1 and 100000000 tokens", flag, value));
    return value;
  };
  return {tokens("--short", o.short_prompt), tokens("--prompt", o.prompt), tokens("--response", o.response),
          o.rejected == 0 ? o.response : tokens("--rejected", o.rejected)};
}

}  // namespace

int run_cost(const CostCommandOptions& options, const Console& console) {
  const cost::ModelShape shape = shape_of(options);
  const cost::RecordLengths lengths = lengths_of(options);
  if (options.lora_rank < 0)
    throw UsageError(fmt::format("--lora-rank: {} must be 0 or more", options.lora_rank));
  if (options.mlp_rows < 0)
    throw UsageError(fmt::format("--mlp-rows: {} must be 0 or more", options.mlp_rows));
  cost::TrainingOptions training{.recompute = options.recompute ? cost::Recompute::layers_but_down
                                                                : cost::Recompute::none};
  training.lora.rank = options.lora_rank;
  const cost::MemoryOptions memory = llama_memory(options.recompute, training.lora, options.mlp_rows);

  const auto work_of_scheme = [&](cost::Scheme scheme) {
    scheme.rows = options.every_token ? cost::Rows::every_token : cost::Rows::needed;
    return cost::record_work(lengths, scheme);
  };
  const auto flops_of = [&](const cost::NamedScheme& named) {
    cost::TrainingOptions with = training;
    with.reference = named.reference;
    return cost::record_flops(shape, work_of_scheme(named.scheme), with);
  };
  const double plain = flops_of(cost::find_scheme("V")).total(),
               shared = flops_of(cost::find_scheme("V+PS")).total();

  const cost::MemoryBytes state = cost::state_memory(shape, memory);
  console.out << fmt::format(
      "{:.4g} M weights; weights, gradients and optimiser in float32: {:.2f} GiB\n"
      "one record: long prompt {}, short prompt {}, chosen {}, rejected {} tokens\n\n",
      static_cast<double>(shape.weights()) / 1e6, static_cast<double>(state.model_state()) / gib,
      lengths.prompt_long, lengths.prompt, lengths.chosen, lengths.rejected);
  TextTable table({"scheme", "tokens", "read only", "pairs [M]", "scored", "TFLOP", "attention", "head",
                   "/ V", "/ V+PS", "held tokens", "memory [GiB]", "what it is"});
  for (const cost::NamedScheme& named : cost::named_schemes) {
    const cost::RecordWork work = work_of_scheme(named.scheme);
    const cost::Flops flops = flops_of(named);
    const double all = flops.total();
    const cost::Count scored = work.differentiated.head_rows;
    const cost::MemoryBytes held = cost::activation_memory(
        shape, work.peak_tokens, scored,
        named.scheme.head_on_all_rows ? with_all_logits(memory, shape, scored) : memory, work.read_tokens);
    table.add({named.name, std::to_string(work.differentiated.tokens), std::to_string(work.read.tokens),
               fmt::format("{:.2f}", static_cast<double>(work.differentiated.pairs + work.read.pairs) / 1e6),
               std::to_string(work.differentiated.head_rows), fmt::format("{:.3f}", all / 1e12),
               fmt::format("{:.0f} %", 100 * flops.attention / all),
               fmt::format("{:.0f} %", 100 * flops.head / all), fmt::format("{:.3f}", all / plain),
               fmt::format("{:.3f}", all / shared), std::to_string(work.peak_tokens),
               fmt::format("{:.2f}", static_cast<double>(held.step()) / gib), named.words});
  }
  table.print(console.out);
  console.out
      << "\nTFLOP: of one record, forward and backward. / V, / V+PS: over Long-PO without and with shared "
         "prompts.\nmemory: activations in float32 on top of the weights, gradients and optimiser.\n";
  return 0;
}

}  // namespace solopo::cli
