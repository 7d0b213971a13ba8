// solopo data build | synth | sample
#include "commands.hpp"
#include "data_build.hpp"
#include "data_sample.hpp"
#include "data_synth.hpp"
#include "solopo/kernels/parallel.hpp"

namespace solopo::cli {
namespace {

void add_build(CLI::App& data, Commands& commands) {
  struct Flags {
    BuildOptions options;
    PromptFormatFlags prompt;
    std::vector<std::string> depths{"uniform"};
  };
  const auto flags = std::make_shared<Flags>();
  BuildOptions& o = flags->options;
  CLI::App* app =
      add_command(data, "build", "Turn questions into short and long contexts",
                  "  solopo data build --qa dev-v2.0.json --format squad --model SmolLM2.gguf \\\n"
                  "      --split-by article --train 10 --test 6 --long-tokens 1024 --out contexts.jsonl\n"
                  "  solopo data build --qa musique.jsonl --model models/Qwen2.5 --short-tokens 1024 "
                  "--long-tokens 8192 \\\n"
                  "      --distractors moby_dick.txt --out contexts.jsonl\n");
  add_path(*app, "--qa", o.qa, "Questions: JSON Lines or JSON")->required();
  app->add_option("--format", o.format, "musique, hotpotqa, 2wikimultihopqa or squad")->capture_default_str();
  add_path(*app, "--model", o.model,
           "For its tokenizer and chat template: a Hugging Face folder or a GGUF file")
      ->required();
  app->add_option("--template", o.template_name,
                  "Chat template: chatml, llama3, qwen or plain [the model's own]");
  add_path(*app, "--out", o.out, "Contexts to write, with FILE.manifest.json beside it")->required();
  app->add_option("--short-tokens", o.short_tokens, "Length of the short context; 0: the evidence alone")
      ->capture_default_str();
  app->add_option("--long-tokens", o.long_tokens, "Length of the long context")->capture_default_str();
  app->add_option("--depths", flags->depths,
                  "Depths of the evidence in the long context: uniform, or shares like 0,0.5,1")
      ->delimiter(',')
      ->capture_default_str();
  app->add_option("--limit", o.limit, "Questions to write; 0: all")->capture_default_str();
  app->add_option("--seed", o.seed, "Of the order, the distractors and the depths")->capture_default_str();
  add_path(*app, "--distractors", o.distractors, "More distractors: JSON Lines of {title, text}, or prose");
  app->add_flag("--pooled,!--no-pooled", o.pooled, "Other questions' passages may be distractors [on]");
  app->add_option("--own-share", o.own_share,
                  "Share of distractors from the question's own record or article");
  app->add_option("--longest-distractor", o.longest_distractor,
                  "Tokens; a longer passage is no distractor; 0: any length")
      ->capture_default_str();
  add_split(*app, o.split);
  add_reading(*app, o.read);
  add_prompt_format(*app, flags->prompt);
  commands.push_back({app, [flags](const Console& console) {
                        flags->options.prompt = resolve(flags->prompt);
                        flags->options.depths = parse_depths(flags->depths);
                        run_data_build(flags->options, console.log);
                        return 0;
                      }});
}

void add_synth(CLI::App& data, Commands& commands) {
  const auto options = std::make_shared<SynthOptions>();
  CLI::App* app = add_command(data, "synth", "Make synthetic multi-document questions for the tiny model",
                              "  solopo data synth --count 2000 --seed 1 --out train.qa.jsonl\n"
                              "  solopo data synth --count 300 --purpose test --out test.qa.jsonl\n");
  add_path(*app, "--out", options->out, "Questions to write, in the musique form")->required();
  app->add_option("--count", options->count, "Questions")->capture_default_str();
  app->add_option("--documents", options->documents, "Documents a question")->capture_default_str();
  app->add_option("--seed", options->seed, "Of everything drawn")->capture_default_str();
  app->add_option("--purpose", options->purpose, "Another purpose, other questions: train, test, ...")
      ->capture_default_str();
  add_path(*app, "--words", options->words, "Word list, JSON [the one built in]");
  commands.push_back({app, [options](const Console& console) {
                        run_data_synth(*options, console.log);
                        return 0;
                      }});
}

void add_sample(CLI::App& data, Commands& commands) {
  struct Flags {
    SampleOptions options;
    std::string answer = PromptFormat{}.answer;
    std::int64_t threads = 0;
  };
  const auto flags = std::make_shared<Flags>();
  SampleOptions& o = flags->options;
  CLI::App* app = add_command(
      data, "sample", "Sample answers and pair a right one with a wrong one",
      "  solopo data sample --model SmolLM2.gguf --in contexts.jsonl --from short --n 8 --out pairs.jsonl\n"
      "  solopo data sample --model tiny --in contexts.jsonl --from long --gold-chosen --out pairs.jsonl\n");
  add_path(*app, "--model", o.model, "A Hugging Face folder or a GGUF file")->required();
  add_adapter(*app, o.adapter);
  app->add_option("--template", o.template_name,
                  "Chat template: chatml, llama3, qwen or plain [the model's own]");
  add_path(*app, "--in", o.in, "Contexts, from 'data build'")->required();
  add_path(*app, "--out", o.out, "Preference records to write, with FILE.manifest.json beside it")
      ->required();
  app->add_option("--from", o.from, "The context to sample from: short or long")
      ->check(CLI::IsMember({"short", "long"}))
      ->capture_default_str();
  app->add_option("--n", o.n, "Answers a question")->capture_default_str();
  app->add_option("--temperature", o.temperature, "Of sampling")->capture_default_str();
  app->add_option("--max-new-tokens", o.max_new_tokens, "Longest answer")->capture_default_str();
  app->add_option("--seed", o.seed, "Of sampling and choosing")->capture_default_str();
  app->add_flag("--gold-chosen", o.gold_chosen, "Chosen = the gold answer, for a model that is seldom right");
  app->add_option("--answer-format", flags->answer,
                  "With --gold-chosen: how it is written, with {answer}; \\n, \\t and \\\\ are understood")
      ->capture_default_str();
  app->add_flag("--finished-only", o.finished_only,
                "Never choose an answer that was cut at --max-new-tokens");
  app->add_option("--limit", o.limit, "Stop after this many records; 0: never")->capture_default_str();
  app->add_option("--threads", flags->threads, "0: as many as the machine has")->capture_default_str();
  add_device(*app, o.where);
  commands.push_back({app,
                      [flags](const Console& console) {
                        flags->options.prompt.answer = unescape(flags->answer);
                        kernels::set_thread_count(static_cast<int>(flags->threads));
                        const SampleResult result = run_data_sample(
                            flags->options, console.log, [&console] { return console.stopping(); });
                        return result.interrupted ? console.stopped_code() : 0;
                      },
                      true});
}

}  // namespace

void add_data_commands(CLI::App& program, Commands& commands) {
  CLI::App* data = add_command(program, "data", "Build, synthesise and sample training data", "");
  data->require_subcommand(1);
  data->footer("Run 'solopo data COMMAND --help' for the options and examples of each.");
  add_build(*data, commands);
  add_synth(*data, commands);
  add_sample(*data, commands);
}

}  // namespace solopo::cli
