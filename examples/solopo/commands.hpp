// The commands of the program: their options and what runs when they are given.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "console.hpp"
#include "device.hpp"
#include "prompt_format.hpp"
#include "qa_reader.hpp"

namespace solopo::cli {

struct Command {
  const CLI::App* app = nullptr;
  std::function<int(const Console&)> run;  // the exit code
  bool stops_itself = false;               // it looks at Console::stop_signal
};

// One list for the whole program; options live as long as the functions do.
using Commands = std::vector<Command>;

void add_data_commands(CLI::App& program, Commands& commands);
void add_train_commands(CLI::App& program, Commands& commands);
// `command_line` is what eval records as its command.
void add_eval_commands(CLI::App& program, Commands& commands, const std::string& command_line);
void add_model_commands(CLI::App& program, Commands& commands);

// --- what several commands share

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description,
                      const std::string& examples);

CLI::Option* add_path(CLI::App& app, const std::string& name, std::filesystem::path& value,
                      const std::string& help);

// --adapter, of commands that load a model.
void add_adapter(CLI::App& app, std::filesystem::path& adapter);

// --device and --dtype, of commands that run a model.
void add_device(CLI::App& app, DeviceOptions& where);

// --max-bad and --on-bad-utf8.
void add_reading(CLI::App& app, QaReadOptions& read);

// --split-by, --train, --test and --split.
struct SplitOptions;
void add_split(CLI::App& app, SplitOptions& split);

// "uniform" or shares between 0 and 1. UsageError.
std::vector<double> parse_depths(const std::vector<std::string>& given);

// The wording of prompts: a named format or a file, and single parts that override it.
struct PromptFormatFlags {
  std::string name = "passages";  // passages, synthetic, or a JSON file with members of PromptFormat
  std::optional<std::string> instruction, passage, separator, question, block, answer;
};
void add_prompt_format(CLI::App& app, PromptFormatFlags& flags);
// UsageError, DataError.
PromptFormat resolve(const PromptFormatFlags& flags);

}  // namespace solopo::cli
