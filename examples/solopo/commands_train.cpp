// solopo train | score
#include <algorithm>
#include <cctype>
#include <map>

#include "commands.hpp"
#include "score_command.hpp"
#include "solopo/objectives/registry.hpp"
#include "train_command.hpp"

namespace solopo::cli {
namespace {

// One flag for every option that any objective has.
void add_objective_options(CLI::App& app, ObjectiveOptions& out, const char* group) {
  std::map<std::string, const ObjectiveOption*> all;
  for (const ObjectiveEntry& entry : registry()) {
    for (const ObjectiveOption& option : entry.options) all.try_emplace(option.name, &option);
  }
  for (const auto& [name, option] : all) {
    std::string flag = name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    std::string help(describe_option(name));
    help[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(help[0])));
    for (std::size_t i = 0; i < option->names.size(); ++i)
      help += (i == 0 ? ": " : i + 1 == option->names.size() ? " or " : ", ") + option->names[i];
    help += " [the objective's]";
    CLI::Option* added = nullptr;
    if (option->standard.number() != nullptr) {
      added = app.add_option_function<double>(
          "--" + flag, [&out, key = name](const double& x) { out.insert_or_assign(key, x); }, help);
    } else if (option->standard.flag() != nullptr) {
      added = app.add_flag_function(
          "--" + flag + ",!--no-" + flag,
          [&out, key = name](std::int64_t given) { out.insert_or_assign(key, given > 0); }, help);
    } else {
      added = app.add_option_function<std::string>(
          "--" + flag, [&out, key = name](const std::string& x) { out.insert_or_assign(key, x); }, help);
    }
    added->group(group);
  }
}

void add_train(CLI::App& program, Commands& commands) {
  const auto options = std::make_shared<TrainCommandOptions>();
  TrainCommandOptions& o = *options;
  CLI::App* app = add_command(
      program, "train", "Fine-tune a model on preference records",
      "  solopo train --model SmolLM2.gguf --data pairs.jsonl --objective solopo:orpo --out runs/solo\n"
      "  solopo train --config job.yaml --alpha 3 --dry-run\n"
      "  solopo train --model models/tiny --data pairs.jsonl --objective dpo --beta 0.1 --out runs/short "
      "--resume\n"
      "  solopo train --model models/tiny --data pairs.jsonl --lora-rank 16 --lr 2e-4 --out runs/lora\n"
      "  solopo train --model models/qwen --data pairs.jsonl --device cuda --recompute --out runs/gpu\n"
      "  solopo train --model models/tiny --data long.jsonl --objective orpo --context long --out "
      "runs/long\n");
  const char* files = "Files";
  add_path(*app, "--model", o.model, "Start model: a Hugging Face folder or a GGUF file")
      ->required()
      ->group(files);
  add_path(*app, "--data", o.data, "Preference records, JSON Lines: ours or TRL's")->required()->group(files);
  add_path(*app, "--out", o.out, "Folder for the model, checkpoints and metrics.jsonl")
      ->required()
      ->group(files);
  add_path(*app, "--eval-data", o.eval_data, "Held-out preference records")->group(files);
  app->add_option("--template", o.chat_template,
                  "Chat template: chatml, llama3, qwen or plain [the model's own]")
      ->group(files);
  app->add_option("--max-bad", o.max_bad, "Unreadable lines to pass over before giving up")
      ->capture_default_str()
      ->group(files);

  const char* objective = "Objective ('solopo objectives' lists them)";
  app->add_option("--objective", o.objective,
                  "For example solopo:dpo, solopo:orpo, dpo, simpo, orpo, sft, longpo")
      ->capture_default_str()
      ->group(objective);
  app->add_option("--context", o.context,
                  "Prompt of the preference term: short, long (pairs sampled from it), expand (long, pairs "
                  "from short)")
      ->check(CLI::IsMember({"short", "long", "expand"}))
      ->capture_default_str()
      ->group(objective);
  add_objective_options(*app, o.objective_options, objective);
  app->add_option("--ref-model-sync-steps", o.ref_model_sync_steps,
                  "TR-DPO: steps after which the reference moves to the policy; 0: never")
      ->capture_default_str()
      ->group(objective);
  app->add_option("--ref-model-mixup-alpha", o.ref_model_mixup_alpha,
                  "How far it moves: 1 makes it the policy")
      ->capture_default_str()
      ->group(objective);

  app->add_option("--long-gradient", o.long_gradient,
                  "Of the long side: full, or response: its prompt is read without a gradient, which takes "
                  "less time and memory")
      ->check(CLI::IsMember({"full", "response"}))
      ->capture_default_str()
      ->group(objective);
  app->add_option("--full-gradient-every", o.full_gradient_every,
                  "With --long-gradient response: each n-th step is full; 0: none")
      ->capture_default_str()
      ->group(objective);

  const char* adapters =
      "Adapters (LoRA): the model stays as it is, --out gets a folder of Hugging Face's PEFT";
  add_path(
      *app, "--adapter", o.adapter,
      "Adapters to train on: a folder of 'train --lora-rank' or PEFT; the reference is the model with them")
      ->group(adapters);
  app->add_option("--lora-rank", o.lora_rank, "Of new adapters; 0: none, every weight is trained")
      ->capture_default_str()
      ->group(adapters);
  app->add_option("--lora-alpha", o.lora_alpha, "What they add is scaled by alpha / rank; 0: twice the rank")
      ->capture_default_str()
      ->group(adapters);
  app->add_option("--lora-targets", o.lora_targets,
                  "all, attention, mlp, or maps: q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj")
      ->capture_default_str()
      ->group(adapters);

  const char* optimiser = "Optimiser";
  app->add_option("--lr", o.lr, "Peak learning rate")->capture_default_str()->group(optimiser);
  app->add_option("--schedule", o.schedule, "constant, linear or cosine")
      ->capture_default_str()
      ->group(optimiser);
  app->add_option("--warmup", o.warmup, "Below 1 a share of the steps, else a number of steps")
      ->capture_default_str()
      ->group(optimiser);
  app->add_option("--min-lr-ratio", o.min_lr_ratio, "What is left of the peak at the end")
      ->capture_default_str()
      ->group(optimiser);
  app->add_option("--epochs", o.epochs, "Passes over the records")->capture_default_str()->group(optimiser);
  app->add_option("--max-steps", o.max_steps, "Optimiser steps; 0: from --epochs")
      ->capture_default_str()
      ->group(optimiser);
  app->add_option("--batch-size", o.batch_size, "Records a step")->capture_default_str()->group(optimiser);
  app->add_option("--clip", o.clip, "Largest gradient norm; 0: no clipping")
      ->capture_default_str()
      ->group(optimiser);
  app->add_option("--weight-decay", o.weight_decay, "Decoupled, on matrices")
      ->capture_default_str()
      ->group(optimiser);
  app->add_option("--adam-beta1", o.adam_beta1, "Of AdamW")->capture_default_str()->group(optimiser);
  app->add_option("--adam-beta2", o.adam_beta2, "Of AdamW")->capture_default_str()->group(optimiser);
  app->add_option("--adam-epsilon", o.adam_epsilon, "Of AdamW")->capture_default_str()->group(optimiser);
  app->add_option("--seed", o.seed, "Of the order of records")->capture_default_str()->group(optimiser);

  const char* lengths = "Lengths";
  app->add_option("--max-length", o.max_length, "Tokens of prompt and response; 0: the model's context")
      ->capture_default_str()
      ->group(lengths);
  app->add_option("--too-long", o.too_long,
                  "A record past it: refuse, drop, or cut the middle of its context")
      ->check(CLI::IsMember({"refuse", "drop", "middle"}))
      ->capture_default_str()
      ->group(lengths);
  app->add_flag("--keep-equal,!--no-keep-equal", o.keep_equal,
                "Keep records whose two responses are the same")
      ->group(lengths);

  const char* run = "Run";
  app->add_option("--eval-every", o.eval_every, "Steps between evaluations on --eval-data")
      ->capture_default_str()
      ->group(run);
  app->add_option("--save-every", o.save_every, "Steps between checkpoints")
      ->capture_default_str()
      ->group(run);
  app->add_option("--keep-last", o.keep_last, "Checkpoints kept besides the best")
      ->capture_default_str()
      ->group(run);
  app->add_option("--on-save-error", o.on_save_error, "stop, or warn and train on")
      ->check(CLI::IsMember({"stop", "warn"}))
      ->capture_default_str()
      ->group(run);
  app->add_flag("--resume,!--no-resume", o.resume, "Go on from the newest complete checkpoint in --out")
      ->group(run);
  app->add_option("--allow-change", o.allow_change, "A setting that may differ on --resume; may be repeated")
      ->group(run);
  app->add_flag("--dry-run", o.dry_run,
                "Show the resolved options, token statistics, memory and time, do not train")
      ->group(run);
  app->add_flag("--recompute,!--no-recompute", o.recompute,
                "Compute layers again in the backward pass: less memory")
      ->group(run);
  app->add_option("--mlp-rows", o.mlp_rows,
                  "Rows that the MLP works on at once, 0: all. Fewer take less memory, with --recompute much "
                  "less. On the CPU")
      ->capture_default_str()
      ->group(run);
  app->add_flag("--share-prefix,!--no-share-prefix", o.share_prefix,
                "Read the prompt of two responses once [on]")
      ->group(run);
  app->add_option("--passes", o.passes,
                  "Both sides of a record together; two-pass: one after the other, which takes the memory of "
                  "the larger one and the time of another reading of the short one; auto: together where it "
                  "fits")
      ->check(CLI::IsMember({"together", "two-pass", "auto"}))
      ->capture_default_str()
      ->group(run);
  app->add_option("--threads", o.threads, "0: as many as the machine has")->capture_default_str()->group(run);
  app->add_option("--memory", o.memory, "GiB the run may take; 0: as much as the machine, or the GPU, has")
      ->capture_default_str()
      ->group(run);
  add_device(*app, o.where);
  app->add_flag(
         "--deterministic,!--no-deterministic", o.where.deterministic,
         "Without, cuDNN adds in any order: faster at length, less memory from 32K tokens on, and two runs "
         "differ in their last bits [on]")
      ->group("Device");
  commands.push_back({app, [options](const Console& console) { return run_train(*options, console); }, true});
}

void add_score(CLI::App& program, Commands& commands) {
  const auto options = std::make_shared<ScoreCommandOptions>();
  ScoreCommandOptions& o = *options;
  CLI::App* app =
      add_command(program, "score", "Add a model's log-probabilities to preference records",
                  "  solopo score --model SmolLM2.gguf --in pairs.jsonl --out scored.jsonl\n"
                  "  solopo score --model models/base --in trl.jsonl --template plain --out scored.jsonl\n");
  add_path(*app, "--model", o.model, "A Hugging Face folder or a GGUF file")->required();
  add_adapter(*app, o.adapter);
  add_path(*app, "--in", o.in, "Preference records, JSON Lines: ours or TRL's")->required();
  add_path(*app, "--out", o.out, "The same records, with ref_chosen_logps and the like")->required();
  app->add_option("--template", o.chat_template,
                  "Chat template: chatml, llama3, qwen or plain [the model's own]");
  app->add_option("--max-length", o.max_length, "Tokens of prompt and response; 0: the model's context")
      ->capture_default_str();
  app->add_option("--too-long", o.too_long,
                  "A record past it: refuse, drop, or cut the middle of its context")
      ->check(CLI::IsMember({"refuse", "drop", "middle"}))
      ->capture_default_str();
  app->add_option("--max-bad", o.max_bad, "Unreadable lines to pass over before giving up")
      ->capture_default_str();
  app->add_option("--threads", o.threads, "0: as many as the machine has")->capture_default_str();
  add_device(*app, o.where);
  commands.push_back({app, [options](const Console& console) { return run_score(*options, console); }, true});
}

}  // namespace

void add_train_commands(CLI::App& program, Commands& commands) {
  add_train(program, commands);
  add_score(program, commands);
}

}  // namespace solopo::cli
