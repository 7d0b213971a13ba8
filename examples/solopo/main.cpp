// The program: options in, a command run, errors as messages and exit codes.
//   0 done   1 the run failed   2 wrong use   3 bad data   4 bad model file   130, 143 interrupted
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "commands.hpp"
#include "solopo/core/error.hpp"
#include "stop_signal.hpp"
#include "usage_error.hpp"
#include "version.hpp"
#include "yaml_config.hpp"

namespace solopo::cli {
namespace {

constexpr int failed = 1, wrong_use = 2, bad_data = 3, bad_model = 4;

std::string joined(int argc, char** argv) {
  std::string out = "solopo";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n\"'\\$`*?;&|<>()[]{}~#!") == std::string::npos;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += ' ' + (plain ? word : quoted + "'");
  }
  return out;
}

// "solopo data build", as far as the commands were understood.
std::string command_name(const CLI::App& program) {
  std::string out = "solopo";
  for (const CLI::App* command : given_commands(program)) out += " " + command->get_name();
  return out;
}

// With the options of the command that would help, where it has any.
std::string out_of_memory(const CLI::App& program) {
  std::string help;
  for (const char* option : {"--max-length", "--recompute", "--lengths", "--n", "--samples"}) {
    const bool has = given_commands(program).back()->get_option_no_throw(option) != nullptr;
    if (has) help += (help.empty() ? "; " : ", ") + std::string(option);
  }
  return "out of memory" + (help.empty() ? help : help + " can make it less");
}

// Several problems, one a line, or a single one.
void complain(const std::string& who, const std::string& text, bool color) {
  const std::string error = color ? "\x1b[1;31merror:\x1b[0m" : "error:";
  if (text.find('\n') == std::string::npos) {
    std::cerr << who << ": " << error << ' ' << text << '\n';
    return;
  }
  std::cerr << who << ": " << error << " several problems\n";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::cerr << "  - " << text.substr(at, end - at) << '\n';
    at = end + 1;
  }
}

// What was not understood, and what may have been meant.
std::string unknown_arguments(const CLI::App& program) {
  const auto given = given_commands(program);
  const CLI::App& command = given.empty() ? program : *given.back();
  std::string out;
  for (const std::string& word : program.remaining(true)) {
    const bool option = word.size() > 1 && word[0] == '-';
    if (!out.empty() && !option) continue;  // most likely the value of the option before it
    out += out.empty() ? "" : "\n";
    if (option) {
      const std::string name =
          word.substr(word.find_first_not_of('-'), word.find('=') - word.find_first_not_of('-'));
      std::string dashed = name;
      std::replace(dashed.begin(), dashed.end(), '_', '-');
      out += "there is no option " + printable(word.substr(0, word.find('='))) +
             did_you_mean(dashed, option_names(command), "--");
    } else {
      std::vector<std::string> names;
      for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; }))
        names.push_back(sub->get_name());
      out += names.empty() ? "'" + printable(word) + "' was not expected here"
                           : "there is no command '" + printable(word) + "'" + did_you_mean(word, names);
    }
  }
  return out;
}

int run(int argc, char** argv) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const char* kind = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  Console console{.out = std::cout, .log = std::cerr};
  console.terminal = terminal && (kind == nullptr || std::string(kind) != "dumb");
  console.color = console.terminal && (no_color == nullptr || *no_color == '\0');

  CLI::App program("Short-to-long preference optimisation of language models", "solopo");
  program.set_version_flag("--version", &version_text,
                           "Version, instruction set, matrix library, threads, compiler");
  program.set_config("--config", "", "Options from a YAML file; flags override it")->type_name("FILE.yaml");
  program.config_formatter(std::make_shared<YamlConfig>(program));
  program.require_subcommand(1);
  program.footer(
      "Examples:\n"
      "  solopo data build --qa dev-v2.0.json --format squad --model SmolLM2.gguf --long-tokens 1024 \\\n"
      "      --split-by article --train 25 --test 10 --out contexts.jsonl\n"
      "  solopo data sample --model SmolLM2.gguf --in contexts.jsonl --n 8 --out pairs.jsonl\n"
      "  solopo train --model SmolLM2.gguf --data pairs.jsonl --objective solopo:orpo --out runs/solo\n"
      "  solopo eval --model runs/solo --qa dev-v2.0.json --format squad --lengths 0,1024,2048 \\\n"
      "      --split-from contexts.jsonl.manifest.json --out solo.json\n"
      "\nRun 'solopo COMMAND --help' for the options and examples of each.\n"
      "Exit codes: 0 done, 1 the run failed, 2 wrong use, 3 bad data, 4 bad model file, 130 and 143 "
      "interrupted.");
  program.get_formatter()->column_width(34);
  Commands commands;
  add_data_commands(program, commands);
  add_train_commands(program, commands);
  add_eval_commands(program, commands, joined(argc, argv));
  add_model_commands(program, commands);

  const auto misuse = [&](const std::string& text) {
    const std::string who = command_name(program);
    complain(who, text, console.color);
    std::cerr << "See '" << who << " --help'.\n";
    return wrong_use;
  };
  if (argc < 2) {
    std::cerr << program.help();
    return wrong_use;
  }
  try {
    require_instruction_set();
    program.parse(argc, argv);
    const CLI::App* given = given_commands(program).back();
    const auto command =
        std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.app == given; });
    if (command->stops_itself) console.stop_signal = &watch_stop_signals();
    const int code = command->run(console);
    std::cout.flush();
    if (!std::cout) throw Error("cannot write to the standard output");
    return code;
  } catch (const CLI::Success& asked) {  // help or version
    return program.exit(asked, std::cout, std::cerr);
  } catch (const CLI::ExtrasError&) {
    return misuse(unknown_arguments(program));
  } catch (const CLI::ParseError& error) {
    // A missing command counts before a word that is no command.
    const bool unknown = !program.remaining(true).empty();
    return misuse(unknown ? unknown_arguments(program) : error.what());
  } catch (const UsageError& error) {
    return misuse(error.what());
  } catch (const DataError& error) {
    complain(command_name(program), error.what(), console.color);
    return bad_data;
  } catch (const ModelError& error) {
    complain(command_name(program), error.what(), console.color);
    return bad_model;
  } catch (const std::bad_alloc&) {
    complain(command_name(program), out_of_memory(program), console.color);
    return failed;
  } catch (const std::exception& error) {
    complain(command_name(program), error.what(), console.color);
    return failed;
  }
}

}  // namespace
}  // namespace solopo::cli

int main(int argc, char** argv) { return solopo::cli::run(argc, argv); }
