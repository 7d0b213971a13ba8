#include "yaml_config.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <utility>

#include "solopo/core/closest_name.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

std::string with_dashes(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string full_name(const CLI::App& program, const std::vector<std::string>& path) {
  std::string out = program.get_name();
  for (const std::string& name : path) out += " " + name;
  return out;
}

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(command->get_name());
  return out;
}

// Walks the document and collects items for CLI11, and problems for the user.
class Reader {
 public:
  Reader(const CLI::App& program, std::string file) : program_(program), file_(std::move(file)) {}

  // `app` and `path`: the command whose section this is; `flat`: whose options the plain keys are.
  void section(const YAML::Node& map, const CLI::App& app, const std::vector<std::string>& path,
               const CLI::App& flat, const std::vector<std::string>& flat_path) {
    std::set<std::string> seen;
    for (const auto& member : map) {
      const YAML::Node& key = member.first;
      if (!key.IsScalar()) {
        problem(key, "a key must be a plain name");
        continue;
      }
      const std::string name = with_dashes(key.Scalar());
      if (!seen.insert(name).second) {
        problem(key, "'" + printable(name) + "' appears twice");
        continue;
      }
      const CLI::App* command = find_command(app, name);
      if (command != nullptr && (member.second.IsMap() || member.second.IsNull())) {
        std::vector<std::string> inner = path;
        inner.push_back(name);
        if (member.second.IsMap()) section(member.second, *command, inner, *command, inner);
      } else {
        option(key, name, member.second, app, flat, flat_path);
      }
    }
  }

  void option(const YAML::Node& key, const std::string& name, const YAML::Node& value, const CLI::App& app,
              const CLI::App& flat, const std::vector<std::string>& path) {
    const std::vector<std::string> names = option_names(flat);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      std::vector<std::string> known = names, commands = command_names(app);
      known.insert(known.end(), commands.begin(), commands.end());
      std::string hint = did_you_mean(name, known);
      if (hint.empty()) hint = "; see '" + full_name(program_, path) + " --help'";
      problem(key,
              "'" + full_name(program_, path) + "' has no option '" + printable(key.Scalar()) + "'" + hint);
      return;
    }
    CLI::ConfigItem item;
    item.parents = path;
    item.name = name;
    if (value.IsScalar()) {
      item.inputs = {value.Scalar()};
    } else if (value.IsSequence() && value.size() > 0) {
      for (const YAML::Node& element : value) {
        if (!element.IsScalar()) {
          problem(element, "'" + name + "' is a list of plain values");
          return;
        }
        item.inputs.push_back(element.Scalar());
      }
    } else {
      problem(key, "'" + name + "' needs a value");
      return;
    }
    items.push_back(std::move(item));
  }

  void problem(const YAML::Node& at, const std::string& text) {
    problems +=
        (problems.empty() ? "" : "\n") + file_ + ":" + std::to_string(at.Mark().line + 1) + ": " + text;
  }

  std::vector<CLI::ConfigItem> items;
  std::string problems;

 private:
  const CLI::App& program_;
  std::string file_;
};

}  // namespace

std::vector<const CLI::App*> given_commands(const CLI::App& program) {
  std::vector<const CLI::App*> out;
  const CLI::App* at = &program;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    out.push_back(at);
  }
  return out;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> out;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name != "help" && name != "config" && name != "version") out.push_back(name);
    }
  }
  return out;
}

std::string did_you_mean(const std::string& wrong, const std::vector<std::string>& names,
                         const std::string& prefix) {
  std::string best;
  std::size_t fewest = std::max<std::size_t>(2, std::min<std::size_t>(wrong.size(), 64) / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t edits = edit_distance(std::string_view(wrong).substr(0, 64), name);
    if (edits < fewest && edits < name.size()) {
      fewest = edits;
      best = name;
    }
  }
  return best.empty() ? "" : "; did you mean '" + prefix + best + "'?";
}

std::vector<CLI::ConfigItem> YamlConfig::from_config(std::istream& input) const {
  const std::string file = program_.get_config_ptr()->as<std::string>();
  const std::vector<const CLI::App*> given = given_commands(program_);
  std::vector<std::string> path;
  for (const CLI::App* command : given) path.push_back(command->get_name());
  const CLI::App& flat = given.empty() ? program_ : *given.back();

  YAML::Node document;
  try {
    document = YAML::Load(input);
  } catch (const YAML::Exception& error) {
    throw UsageError(file + ":" + std::to_string(error.mark.line + 1) + ": not YAML: " + error.msg);
  }
  if (document.IsNull()) return {};
  if (!document.IsMap())
    throw UsageError(file + ": expected 'option: value' lines, found something else at the top");
  Reader reader(program_, file);
  reader.section(document, program_, {}, flat, path);
  if (!reader.problems.empty()) throw UsageError(reader.problems);
  return reader.items;
}

std::string YamlConfig::to_config(const CLI::App* app, bool, bool, std::string) const {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const CLI::Option* option : app->get_options()) {
    if (option->count() == 0 || option->get_lnames().empty() || !option->get_configurable()) continue;
    out << YAML::Key << option->get_lnames().front() << YAML::Value;
    const auto& values = option->results();
    if (values.size() == 1) {
      out << values.front();
    } else {
      out << YAML::Flow << values;
    }
  }
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace solopo::cli
