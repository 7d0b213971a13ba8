// solopo eval | compare | report
#include "commands.hpp"
#include "compare.hpp"
#include "eval.hpp"
#include "report.hpp"

namespace solopo::cli {
namespace {

void add_eval(CLI::App& program, Commands& commands, const std::string& command_line) {
  struct Flags {
    EvalOptions options;
    PromptFormatFlags prompt;
    std::vector<std::string> depths{"uniform"};
  };
  const auto flags = std::make_shared<Flags>();
  EvalOptions& o = flags->options;
  o.command = command_line;
  CLI::App* app = add_command(program, "eval", "Answer questions from contexts of several lengths",
                              "  solopo eval --model runs/solo --qa dev-v2.0.json --format squad --split-by "
                              "article --train 10 --test 6 \\\n"
                              "      --lengths 0,1024,2048 --questions 200,200,60 --out solo.json\n"
                              "  solopo eval --model runs/solo --qa test.jsonl --lengths 1024 --depths "
                              "0,0.5,1 --against start.json\n");
  add_path(*app, "--model", o.model, "A Hugging Face folder or a GGUF file")->required();
  add_adapter(*app, o.adapter);
  app->add_option("--template", o.template_name,
                  "Chat template: chatml, llama3, qwen or plain [the model's own]");
  add_path(*app, "--qa", o.qa, "Questions: JSON Lines or JSON")->required();
  app->add_option("--format", o.format, "musique, hotpotqa, 2wikimultihopqa or squad")->capture_default_str();
  app->add_option("--lengths", o.lengths, "Tokens of the prompt; 0: the evidence alone")
      ->delimiter(',')
      ->capture_default_str();
  app->add_option("--questions", o.questions, "Questions, one number or one for each length")
      ->delimiter(',')
      ->capture_default_str();
  app->add_option("--depths", flags->depths, "Depths of the evidence: uniform, or shares like 0,0.5,1")
      ->delimiter(',')
      ->capture_default_str();
  app->add_option("--max-new-tokens", o.max_new_tokens, "Longest answer")->capture_default_str();
  app->add_option("--seed", o.seed, "Of the questions' order, the distractors, the depths and the bootstrap")
      ->capture_default_str();
  add_path(*app, "--distractors", o.distractors, "More distractors: JSON Lines of {title, text}, or prose");
  app->add_flag("--pooled,!--no-pooled", o.pooled, "Other questions' passages may be distractors [on]");
  app->add_option("--own-share", o.own_share,
                  "Share of distractors from the question's own record or article");
  app->add_option("--longest-distractor", o.longest_distractor,
                  "Tokens; a longer passage is no distractor; 0: any length")
      ->capture_default_str();
  add_path(*app, "--against", o.against, "A result of another model on the same questions, to compare with");
  add_path(*app, "--out", o.out, "Result to write: JSON with every question's answer");
  app->add_option("--threads", o.threads, "0: as many as the machine has")->capture_default_str();
  add_device(*app, o.where);
  add_split(*app, o.split);
  add_path(*app, "--split-from", o.split_from,
           "A manifest of 'data build': ask about the articles it kept for the test")
      ->group("Split");
  add_reading(*app, o.read);
  add_prompt_format(*app, flags->prompt);
  commands.push_back({app,
                      [flags](const Console& console) {
                        flags->options.prompt = resolve(flags->prompt);
                        flags->options.depths = parse_depths(flags->depths);
                        return run_eval(flags->options, console);
                      },
                      true});
}

void add_compare(CLI::App& program, Commands& commands) {
  struct Flags {
    CompareOptions options;
    std::vector<std::string> evals;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App* app = add_command(program, "compare", "Compare evaluations of the same questions, pair by pair",
                              "  solopo compare start=start.json short=short.json solo=solo.json\n"
                              "  solopo compare start.json solo.json --out difference.json\n");
  app->add_option("evals,--eval", flags->evals,
                  "Results of 'solopo eval', as FILE or name=FILE; the first is the base")
      ->required();
  app->add_option("--against", flags->options.against, "The name of another base");
  app->add_option("--resamples", flags->options.resamples, "Of the bootstrap")->capture_default_str();
  app->add_option("--seed", flags->options.seed, "Of the bootstrap")->capture_default_str();
  add_path(*app, "--out", flags->options.out, "Differences to write, JSON");
  commands.push_back({app, [flags](const Console& console) {
                        for (const std::string& text : flags->evals) {
                          if (text.find('=') != std::string::npos) {
                            flags->options.evals.push_back(parse_named_file(text));
                          } else {
                            flags->options.evals.push_back(
                                {.name = std::filesystem::path(text).stem().string(), .file = text});
                          }
                        }
                        run_compare(flags->options, console);
                        return 0;
                      }});
}

void add_report(CLI::App& program, Commands& commands) {
  struct Flags {
    ReportOptions options;
    std::vector<std::string> evals, trains;
  };
  const auto flags = std::make_shared<Flags>();
  ReportOptions& o = flags->options;
  CLI::App* app = add_command(
      program, "report", "Write evaluations and training logs as one HTML page",
      "  solopo report --eval start=start.json --eval SoLo-PO=solo.json \\\n"
      "      --train SoLo-PO=runs/solo/metrics.jsonl --out report.html\n"
      "  solopo report --train a=a/metrics.jsonl --train b=b/metrics.jsonl --metrics-out metrics.jsonl\n");
  app->add_option("--eval", flags->evals, "name=FILE.json, a result of 'solopo eval'; may be repeated");
  app->add_option("--train", flags->trains,
                  "name=metrics.jsonl of 'solopo train'; the same name as an --eval belongs to it");
  app->add_option("--against", o.against, "Names of evaluations to compare the later ones with [the first]");
  app->add_option("--title", o.title, "Of the page")->capture_default_str();
  app->add_option("--note", o.note, "A paragraph under the title");
  add_path(*app, "--commands", o.commands, "A text file with the commands of the job, shown on the page");
  app->add_option("--samples", o.samples, "Questions whose answers are shown")->capture_default_str();
  app->add_option("--seed", o.seed, "Of the bootstrap")->capture_default_str();
  add_path(*app, "--out", o.out, "HTML to write");
  add_path(*app, "--metrics-out", o.metrics_out, "All training lines in one file, each with its run's name");
  commands.push_back({app, [flags](const Console& console) {
                        for (const std::string& text : flags->evals)
                          flags->options.evals.push_back(parse_named_file(text));
                        for (const std::string& text : flags->trains)
                          flags->options.trains.push_back(parse_named_file(text));
                        run_report(flags->options, console);
                        return 0;
                      }});
}

}  // namespace

void add_eval_commands(CLI::App& program, Commands& commands, const std::string& command_line) {
  add_eval(program, commands, command_line);
  add_compare(program, commands);
  add_report(program, commands);
}

}  // namespace solopo::cli
