#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <utility>

#include "report_sections.hpp"
#include "report_style.hpp"
#include "solopo/core/config.hpp"
#include "solopo/io/atomic_file.hpp"
#include "solopo/io/jsonl_writer.hpp"
#include "svg_chart.hpp"
#include "text_file.hpp"
#include "text_table.hpp"
#include "usage_error.hpp"

namespace solopo::cli {
namespace {

void check(const ReportOptions& options) {
  std::string problems;
  const auto problem = [&](const std::string& text) { problems += (problems.empty() ? "" : "\n") + text; };
  if (options.out.empty() && options.metrics_out.empty())
    problem("nothing to write: give --out FILE.html or --metrics-out FILE.jsonl");
  if (!options.out.empty() && options.evals.empty())
    problem("--out needs at least one --eval name=FILE.json");
  if (!options.metrics_out.empty() && options.trains.empty())
    problem("--metrics-out needs at least one --train name=metrics.jsonl");
  if (options.samples < 0) problem("--samples cannot be negative");
  for (const auto* files : {&options.evals, &options.trains}) {
    std::set<std::string> names;
    for (const NamedFile& file : *files) {
      if (!names.insert(file.name).second) problem("the name '" + file.name + "' is given twice");
    }
  }
  for (const std::string& name : options.against) {
    const bool known = std::any_of(options.evals.begin(), options.evals.end(),
                                   [&](const NamedFile& file) { return file.name == name; });
    if (!known) problem("--against " + name + ": no --eval has this name");
  }
  if (!problems.empty()) throw UsageError(problems);
}

std::vector<ReportComparison> comparisons_of(const std::vector<ReportModel>& models,
                                             const ReportOptions& options) {
  std::vector<std::string> against = options.against;
  if (against.empty()) against.push_back(models.front().name);
  std::vector<ReportComparison> out;
  for (const std::string& name : against) {
    const auto first =
        std::find_if(models.begin(), models.end(), [&](const ReportModel& m) { return m.name == name; });
    for (auto second = first + 1; second != models.end(); ++second) {
      out.push_back(
          {.first = name,
           .second = second->name,
           .style = second->style,
           .lengths = compare(first->eval, first->name, second->eval, second->name, {.seed = options.seed})});
    }
  }
  return out;
}

// The headline table in plain text.
void print_table(const std::vector<ReportModel>& models, const std::vector<ReportRun>& runs,
                 std::ostream& out) {
  std::set<std::int64_t> lengths;
  for (const ReportModel& model : models) {
    for (const LengthSummary& s : model.summary) lengths.insert(s.length);
  }
  std::vector<std::string> head{"accuracy % [95 %]"};
  for (const std::int64_t length : lengths) head.push_back(length_label(length));
  head.insert(head.end(), {"training", "peak memory"});
  TextTable table(std::move(head));
  for (const ReportModel& model : models) {
    std::vector<std::string> row{model.name};
    for (const std::int64_t length : lengths) {
      std::string cell = "-";
      for (const LengthSummary& s : model.summary) {
        const Interval& a = s.all.accuracy;
        if (s.length == length)
          cell = fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * a.value, 100 * a.low, 100 * a.high);
      }
      row.push_back(std::move(cell));
    }
    const auto run =
        std::find_if(runs.begin(), runs.end(), [&](const ReportRun& r) { return r.log.name == model.name; });
    const bool trained = run != runs.end();
    row.push_back(trained ? fmt::format("{:.0f} s", run->log.largest("seconds")) : "-");
    row.push_back(trained ? fmt::format("{:.0f} MiB", run->log.largest("peak_memory_bytes") / 1048576.0)
                          : "-");
    table.add(std::move(row));
  }
  table.print(out);
}

std::string page(const ReportOptions& options, const std::vector<ReportModel>& models,
                 const std::vector<ReportRun>& runs, const std::vector<ReportComparison>& comparisons,
                 const std::string& commands) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"/><title>" +
      escape_xml(options.title) + "</title><style>" + std::string(report_style) +
      "</style></head>\n<body><header><h1>" + escape_xml(options.title) + "</h1>";
  if (!options.note.empty()) out += "<p class=\"lead\">" + escape_xml(options.note) + "</p>";
  out += "</header>\n<main>";
  for (const std::string& section :
       {headline_section(models, runs), length_section(models), difference_section(comparisons),
        depth_section(models), training_section(runs), sample_section(models, options.samples),
        provenance_section(models, commands)})
    out += "\n" + section;
  return out + "\n</main>\n<footer>Written by solopo " SOLOPO_VERSION ".</footer></body></html>\n";
}

}  // namespace

NamedFile parse_named_file(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw UsageError("'" + printable(text) + "' is not of the form name=FILE");
  return {.name = text.substr(0, equals), .file = text.substr(equals + 1)};
}

void run_report(const ReportOptions& options, const Console& console) {
  check(options);
  std::vector<ReportModel> models;
  for (const NamedFile& file : options.evals) {
    ReportModel model{.name = file.name,
                      .style = static_cast<int>(models.size()),
                      .eval = read_eval(file.file),
                      .summary = {}};
    model.summary = summarise(model.eval, {.seed = options.seed});
    models.push_back(std::move(model));
  }
  std::vector<ReportRun> runs;
  int next_style = static_cast<int>(models.size());
  for (const NamedFile& file : options.trains) {
    const auto model =
        std::find_if(models.begin(), models.end(), [&](const ReportModel& m) { return m.name == file.name; });
    const int style = model != models.end() ? model->style : next_style++;
    runs.push_back({.style = style, .log = read_training_log(file.name, file.file)});
  }
  std::string commands;
  if (!options.commands.empty()) commands = read_text_file(options.commands);

  if (!options.metrics_out.empty()) {
    io::JsonlWriter out(options.metrics_out);
    for (const ReportRun& run : runs) {
      for (io::Json line : run.log.lines) {
        line["run"] = run.log.name;
        out.write(line);
      }
    }
    out.commit();
    console.log << options.metrics_out.string() << ": " << out.records() << " lines of " << runs.size()
                << " runs\n";
  }
  if (!models.empty()) print_table(models, runs, console.out);
  if (options.out.empty()) return;
  const auto comparisons = comparisons_of(models, options);
  const io::WrittenFile written =
      io::write_file(options.out, page(options, models, runs, comparisons, commands));
  console.log << options.out.string() << ": " << models.size() << " models, " << runs.size() << " runs, "
              << written.bytes / 1024 << " KiB\n";
}

}  // namespace solopo::cli
