// solopo generate | merge | inspect | cost | objectives
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "commands.hpp"
#include "cost_command.hpp"
#include "generate.hpp"
#include "inspect.hpp"
#include "merge.hpp"
#include "solopo/objectives/registry.hpp"
#include "text_table.hpp"

namespace solopo::cli {
namespace {

void add_generate(CLI::App& program, Commands& commands) {
  const auto options = std::make_shared<GenerateCommandOptions>();
  GenerateCommandOptions& o = *options;
  CLI::App* app = add_command(
      program, "generate", "Let a model answer",
      "  solopo generate --model SmolLM2.gguf --prompt 'Name three rivers of France.'\n"
      "  solopo generate --model SmolLM2.gguf --messages chat.json --temperature 0.8 --samples 4 --seed 1\n"
      "  solopo generate --model models/base --raw --prompt 'Once upon a time' --max-new-tokens 64\n");
  add_path(*app, "--model", o.model, "A Hugging Face folder or a GGUF file")->required();
  add_adapter(*app, o.adapter);
  app->add_option("--prompt", o.prompt, "The user's turn; -: standard input");
  add_path(*app, "--messages", o.messages, "Instead of --prompt: JSON, a list of {role, content}");
  app->add_option("--system", o.system, "A system turn before the prompt");
  app->add_flag("--raw", o.raw, "The prompt as it is, without a chat template");
  app->add_option("--template", o.template_name,
                  "Chat template: chatml, llama3, qwen or plain [the model's own]");
  app->add_option("--max-new-tokens", o.max_new_tokens, "Longest answer")->capture_default_str();
  app->add_option("--temperature", o.temperature, "0: greedy")->capture_default_str();
  app->add_option("--samples", o.samples, "Answers; they share the reading of the prompt")
      ->capture_default_str();
  app->add_option("--seed", o.seed, "Of sampling")->capture_default_str();
  app->add_option("--threads", o.threads, "0: as many as the machine has")->capture_default_str();
  add_device(*app, o.where);
  commands.push_back(
      {app, [options](const Console& console) { return run_generate(*options, console); }, true});
}

void add_merge(CLI::App& program, Commands& commands) {
  const auto options = std::make_shared<MergeOptions>();
  CLI::App* app = add_command(program, "merge", "Write a model with adapters merged into its weights",
                              "  solopo merge --model models/base --adapter runs/lora --out models/merged\n");
  add_path(*app, "--model", options->model, "A Hugging Face folder or a GGUF file")->required();
  add_path(*app, "--adapter", options->adapter, "Adapters: a folder of 'train --lora-rank' or PEFT")
      ->required();
  add_path(*app, "--out", options->out, "Folder for the merged model; transformers opens it")->required();
  commands.push_back({app, [options](const Console& console) {
                        run_merge(*options, console);
                        return 0;
                      }});
}

void add_inspect(CLI::App& program, Commands& commands) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* app = add_command(program, "inspect", "Show what is in a model, checkpoint or data file",
                              "  solopo inspect SmolLM2.gguf\n"
                              "  solopo inspect runs/solo --tensors\n"
                              "  solopo inspect pairs.jsonl --model SmolLM2.gguf\n");
  add_path(*app, "path,--path", options->path, "A folder, or a .gguf, .safetensors or .jsonl file")
      ->required();
  add_path(*app, "--model", options->model, "Its tokenizer counts the tokens of records");
  app->add_flag("--tensors", options->tensors, "List every tensor (and every key of a GGUF file)");
  app->add_flag("--finite,!--no-finite", options->finite, "Look for NaN and infinite weights [on]");
  commands.push_back({app, [options](const Console& console) {
                        run_inspect(*options, console);
                        return 0;
                      }});
}

void add_cost(CLI::App& program, Commands& commands) {
  const auto options = std::make_shared<CostCommandOptions>();
  CostCommandOptions& o = *options;
  CLI::App* app =
      add_command(program, "cost", "Count what ways of training on a record cost; runs nothing",
                  "  solopo cost --model-shape smollm2-135m --prompt 8192 --short 1024 --response 200\n"
                  "  solopo cost --model SmolLM2.gguf --prompt 4096 --recompute\n");
  app->add_option("--model-shape", o.model_shape,
                  "smollm2-135m, qwen2.5-0.5b, qwen2.5-1.5b, qwen2.5-7b or llama-3.1-8b")
      ->capture_default_str();
  add_path(*app, "--model", o.model, "Instead: the shape of a Hugging Face folder or a GGUF file");
  app->add_option("--prompt", o.prompt, "Tokens of the long prompt")->capture_default_str();
  app->add_option("--short", o.short_prompt, "Tokens of the short prompt")->capture_default_str();
  app->add_option("--response", o.response, "Tokens of the chosen response")->capture_default_str();
  app->add_option("--rejected", o.rejected, "Tokens of the rejected response; 0: as many")
      ->capture_default_str();
  app->add_option("--lora-rank", o.lora_rank, "Frozen weights with adapters of this rank; 0: all are trained")
      ->capture_default_str();
  app->add_flag("--recompute,!--no-recompute", o.recompute, "Layers computed again in the backward pass");
  app->add_option("--mlp-rows", o.mlp_rows, "Rows that the MLP works on at once; 0: all")
      ->capture_default_str();
  app->add_flag("--every-token,!--no-every-token", o.every_token,
                "A row for every token, also a response's last one, as usual formulas count");
  commands.push_back({app, [options](const Console& console) { return run_cost(*options, console); }});
}

std::string option_list(const std::vector<ObjectiveOption>& options,
                        const std::vector<ObjectiveOption>& without = {}) {
  std::string out;
  for (const ObjectiveOption& o : options) {
    const auto same = [&](const ObjectiveOption& other) { return other.name == o.name; };
    if (std::any_of(without.begin(), without.end(), same)) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", o.name, o.standard.text());
  }
  return out;
}

void print_objectives(std::ostream& out) {
  TextTable table({"objective", "options and defaults", "reference", "records hold", "paper"});
  const ObjectiveEntry* first_long = nullptr;
  for (const ObjectiveEntry& entry : registry()) {
    if (entry.needs_long_prompt) {
      if (first_long == nullptr) first_long = &entry;
      continue;
    }
    table.add({entry.name, option_list(entry.options), entry.needs_reference ? "yes" : "no",
               record_fields(entry), entry.paper.empty() ? "" : "arXiv " + entry.paper});
  }
  table.print(out);
  out << "\nFormulas, for each pair (w chosen, l rejected, D the margin of summed log-ratios,\n"
         "r the reward, s the logistic function, e label_smoothing, K the sum over a response's tokens\n"
         "of the reference's divergence from the policy):\n";
  for (const ObjectiveEntry& entry : registry()) {
    if (!entry.needs_long_prompt) out << fmt::format("  {:<17} {}\n", entry.name, entry.formula);
  }
  const ObjectiveEntry& base = find_objective(first_long->name.substr(std::string("solopo:").size()));
  out << "\nsolopo:NAME trains any of them but longpo on the short prompt and aligns its reward with the "
         "long one:\n"
         "  NAME + alpha |r(short, w) - r(long, w)|, arXiv "
      << first_long->paper << "\n  " << option_list(first_long->options, base.options)
      << " (alpha is 3 for dpo only, 1 for the others; it must be tuned)\n";
}

}  // namespace

void add_model_commands(CLI::App& program, Commands& commands) {
  add_generate(program, commands);
  add_merge(program, commands);
  add_inspect(program, commands);
  add_cost(program, commands);
  CLI::App* app =
      add_command(program, "objectives", "List the objectives and their options", "  solopo objectives\n");
  commands.push_back({app, [](const Console& console) {
                        print_objectives(console.out);
                        return 0;
                      }});
}

}  // namespace solopo::cli
