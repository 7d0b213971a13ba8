// Options from a YAML file, through CLI11's own interface for configuration files, so that flags override
// them and requirements count them.
//
// A key is the long name of an option; '_' and '-' are the same. At the top level it is an option of the
// command that was given; under the name of a command (train:, or data: with build: in it) it is an option of
// that command, so that one file can serve a whole job. A list is a value each. An unknown key is an error.
#pragma once

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <vector>

namespace solopo::cli {

class YamlConfig : public CLI::Config {
 public:
  // Keeps a reference; the commands it has got when from_config() is called are known.
  explicit YamlConfig(const CLI::App& program) : program_(program) {}

  // Throws UsageError with every problem found, one a line: file, line, key, and what may have been meant.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;
  // The options of the command that was given, as such a file.
  std::string to_config(const CLI::App* app, bool default_also, bool write_description,
                        std::string prefix) const override;

 private:
  const CLI::App& program_;
};

// The command that was given, for example {data, build}; empty: none.
std::vector<const CLI::App*> given_commands(const CLI::App& program);

// Long option names of a command, without dashes.
std::vector<std::string> option_names(const CLI::App& command);

// "; did you mean '--beta'?", or nothing when no name is near. `prefix` stands before the name.
std::string did_you_mean(const std::string& wrong, const std::vector<std::string>& names,
                         const std::string& prefix = "");

}  // namespace solopo::cli
