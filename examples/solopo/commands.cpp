#include "commands.hpp"

#include <cmath>
#include <cstdlib>

#include "data_synth.hpp"
#include "question_split.hpp"
#include "usage_error.hpp"

namespace solopo::cli {

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description,
                      const std::string& examples) {
  CLI::App* app = parent.add_subcommand(name, description);
  app->fallthrough();  // --config after the command is the program's
  if (!examples.empty())
    app->footer("Examples:\n" + examples +
                "\nOptions can also stand in a YAML file: --config FILE.yaml; flags override it.");
  return app;
}

CLI::Option* add_path(CLI::App& app, const std::string& name, std::filesystem::path& value,
                      const std::string& help) {
  CLI::Option* option = app.add_option_function<std::string>(
      name, [&value](const std::string& text) { value = text; }, help);
  option->type_name("PATH");
  return option;
}

void add_adapter(CLI::App& app, std::filesystem::path& adapter) {
  add_path(app, "--adapter", adapter,
           "Adapters to merge into the model: a folder of 'train --lora-rank' or PEFT");
}

void add_device(CLI::App& app, DeviceOptions& where) {
  const char* group = "Device";
  app.add_option("--device", where.device, "cpu, or cuda: one GPU, where the program was built with CUDA")
      ->capture_default_str()
      ->group(group);
  app.add_option(
         "--dtype", where.dtype,
         "f32, or bf16: on the CPU products only, where there is AVX512_BF16; on cuda activations too. "
         "auto: f32 on the CPU, bf16 on cuda")
      ->capture_default_str()
      ->group(group);
}

void add_reading(CLI::App& app, QaReadOptions& read) {
  app.add_option("--max-bad", read.max_bad, "Bad records to pass over before giving up")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--on-bad-utf8",
         [&read](const std::string& text) {
           read.bad_utf8 = text == "replace" ? io::BadUtf8::replace : io::BadUtf8::reject;
         },
         "A record that is not UTF-8 is bad (reject), or is repaired with U+FFFD and counted (replace)")
      ->check(CLI::IsMember({"reject", "replace"}))
      ->default_str("reject");
}

void add_split(CLI::App& app, SplitOptions& split) {
  app.add_option("--split-by", split.by, "Split the questions by: article")->group("Split");
  app.add_option("--train", split.train, "Articles of the training part, the first of the file")
      ->group("Split");
  app.add_option("--test", split.test, "Articles of the test part, those after them")->group("Split");
  app.add_option("--split", split.part, "The part to use: train or test")
      ->capture_default_str()
      ->group("Split");
}

std::vector<double> parse_depths(const std::vector<std::string>& given) {
  std::vector<double> out;
  if (given.size() == 1 && given.front() == "uniform") return out;
  for (const std::string& text : given) {
    char* end = nullptr;
    const double depth = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(depth >= 0 && depth <= 1))
      throw UsageError("--depths: '" + printable(text) +
                       "' is neither 'uniform' nor a number between 0 and 1");
    out.push_back(depth);
  }
  return out;
}

void add_prompt_format(CLI::App& app, PromptFormatFlags& flags) {
  const char* group = "Prompt format (\\n, \\t and \\\\ are understood)";
  app.add_option("--prompt-format", flags.name,
                 "passages (for instruct models), synthetic (for 'data synth'), or a JSON file")
      ->capture_default_str()
      ->group(group);
  app.add_option("--instruction", flags.instruction, "First text of the user's turn; empty: none")
      ->group(group);
  app.add_option("--passage", flags.passage, "A passage, with {title} and {text}")->group(group);
  app.add_option("--separator", flags.separator, "Between passages")->group(group);
  app.add_option("--question-format", flags.question, "The end of the turn, with {question}")->group(group);
  app.add_option("--block", flags.block, "Between instruction, passages and question")->group(group);
  app.add_option("--answer-format", flags.answer, "A gold answer as a response, with {answer}")->group(group);
}

PromptFormat resolve(const PromptFormatFlags& flags) {
  PromptFormat out;
  if (flags.name == "synthetic") {
    out = synth_prompt_format();
  } else if (flags.name != "passages") {
    if (!std::filesystem::exists(flags.name))
      throw UsageError("--prompt-format '" + printable(flags.name) +
                       "' is neither passages, synthetic nor a file");
    out = prompt_format_from_json(io::parse_json_file(flags.name, io::FileRole::data));
  }
  const auto set = [](const std::optional<std::string>& given, std::string& part) {
    if (given) part = unescape(*given);
  };
  set(flags.instruction, out.instruction);
  set(flags.passage, out.passage);
  set(flags.separator, out.separator);
  set(flags.question, out.question);
  set(flags.block, out.block);
  set(flags.answer, out.answer);
  check_prompt_format(out);
  return out;
}

}  // namespace solopo::cli
