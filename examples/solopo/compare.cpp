#include "compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <utility>

#include "eval_summary.hpp"
#include "solopo/io/atomic_file.hpp"
#include "text_table.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

struct NamedEval {
  std::string name;
  EvalResult eval;
};

// Accuracy of all models by length.
void print_models(const std::vector<NamedEval>& models, const BootstrapOptions& bootstrap,
                  std::ostream& out) {
  std::set<std::int64_t> lengths;
  std::vector<std::vector<LengthSummary>> summaries;
  for (const NamedEval& model : models) {
    summaries.push_back(summarise(model.eval, bootstrap));
    for (const LengthSummary& s : summaries.back()) lengths.insert(s.length);
  }
  std::vector<std::string> head{"accuracy % [95 %]"};
  for (const std::int64_t length : lengths) head.push_back(length_label(length));
  TextTable table(head);
  for (std::size_t m = 0; m < models.size(); ++m) {
    std::vector<std::string> row{models[m].name};
    for (const std::int64_t length : lengths) {
      const auto s = std::find_if(summaries[m].begin(), summaries[m].end(),
                                  [&](const LengthSummary& x) { return x.length == length; });
      if (s == summaries[m].end()) {
        row.push_back("-");
      } else {
        const Interval& a = s->all.accuracy;
        row.push_back(fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * a.value, 100 * a.low, 100 * a.high));
      }
    }
    table.add(std::move(row));
  }
  table.print(out);
}

}  // namespace

void run_compare(const CompareOptions& options, const Console& console) {
  std::string problems;
  const auto problem = [&](const std::string& text) { problems += (problems.empty() ? "" : "\n") + text; };
  if (options.evals.size() < 2) problem("give at least two results of 'solopo eval'");
  if (options.resamples < 100) problem("--resamples must be at least 100");
  std::set<std::string> names;
  for (const NamedFile& file : options.evals) {
    if (!names.insert(file.name).second) problem("the name '" + file.name + "' is given twice");
  }
  const std::string against =
      options.against.empty() && !options.evals.empty() ? options.evals.front().name : options.against;
  if (!names.empty() && names.count(against) == 0)
    problem("--against " + against + ": no result has this name");
  if (!problems.empty()) throw UsageError(problems);

  std::vector<NamedEval> models;
  for (const NamedFile& file : options.evals)
    models.push_back({.name = file.name, .eval = read_eval(file.file)});
  const NamedEval& first =
      *std::find_if(models.begin(), models.end(), [&](const NamedEval& m) { return m.name == against; });
  const BootstrapOptions bootstrap{.resamples = options.resamples, .seed = options.seed};
  print_models(models, bootstrap, console.out);
  io::Json json = {{"kind", "solopo compare"},
                   {"against", against},
                   {"resamples", options.resamples},
                   {"seed", options.seed},
                   {"differences", io::Json::object()}};
  for (const NamedEval& second : models) {
    if (&second == &first) continue;
    const auto differences = compare(first.eval, first.name, second.eval, second.name, bootstrap);
    console.out << '\n';
    print_differences(differences, first.name, second.name, console.out);
    io::Json& list = json["differences"][second.name] = io::Json::array();
    for (const PairedLength& d : differences) list.push_back(to_json(d));
  }
  if (!options.out.empty()) io::write_file(options.out, io::dump_json(json, 1) + "\n");
}

}  // namespace solopo::cli
