#include "report_sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "progress.hpp"
#include "solopo/core/error.hpp"
#include "svg_chart.hpp"

namespace solopo::cli {
namespace {

const char* const en_dash = "\xe2\x80\x93";

std::vector<std::int64_t> all_lengths(const std::vector<ReportModel>& models) {
  std::set<std::int64_t> out;
  for (const ReportModel& model : models) {
    for (const LengthSummary& s : model.summary) out.insert(s.length);
  }
  return {out.begin(), out.end()};
}

const LengthSummary* find_summary(const ReportModel& model, std::int64_t length) {
  for (const LengthSummary& s : model.summary) {
    if (s.length == length) return &s;
  }
  return nullptr;
}

std::string swatch(int style) {
  const std::string item = legend_html({{.name = "", .style = style}});
  const std::size_t begin = item.find("<svg"), end = item.find("</svg>") + 6;
  std::string svg = item.substr(begin, end - begin);
  return svg.replace(0, 4, "<svg class=\"swatch\"");
}

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

std::string length_column(std::int64_t length, const std::vector<ReportModel>& models) {
  std::string out = escape_xml(length_label(length));
  std::int64_t tokens = 0, questions = 0;
  for (const ReportModel& model : models) {
    if (const LengthSummary* s = find_summary(model, length)) {
      tokens = s->median_tokens;
      questions = s->all.questions;
      break;
    }
  }
  return out + fmt::format("<span class=\"ci\">{} tok., n={}</span>", tokens, questions);
}

std::string bytes_text(double bytes) {
  if (bytes >= 1073741824.0) return fmt::format("{:.2f} GiB", bytes / 1073741824.0);
  return fmt::format("{:.0f} MiB", bytes / 1048576.0);
}

// What a screen reader says about accuracy curves.
std::string describe(const std::vector<ReportModel>& models) {
  std::string out;
  for (const ReportModel& model : models) {
    out += model.name + ":";
    for (const LengthSummary& s : model.summary)
      out += fmt::format(" {} {}%,", length_label(s.length), percent(s.all.accuracy.value));
    out.back() = '.';
    out += ' ';
  }
  return out;
}

std::vector<LegendEntry> legend_of(const std::vector<ReportModel>& models) {
  std::vector<LegendEntry> out;
  for (const ReportModel& model : models) out.push_back({.name = model.name, .style = model.style});
  return out;
}

std::string figure(const std::string& heading, const std::string& caption, const std::string& body) {
  return "<figure class=\"card\"><figcaption><h3>" + escape_xml(heading) + "</h3>" +
         (caption.empty() ? "" : "<p>" + escape_xml(caption) + "</p>") + "</figcaption>" + body + "</figure>";
}

std::string training_chart(const std::vector<ReportRun>& runs, const std::string& heading,
                           const std::string& caption, const std::vector<std::string>& metrics) {
  LineChart chart{.title = heading,
                  .description = caption,
                  .x_label = "step",
                  .y_label = "",
                  .categories = {},
                  .y_low = std::nullopt,
                  .y_high = std::nullopt,
                  .series = {},
                  .width = 360,
                  .height = 205};
  for (int pass = 0; pass < 2; ++pass) {  // background lines first
    for (const ReportRun& run : runs) {
      for (std::size_t m = 0; m < metrics.size(); ++m) {
        const auto curve = run.log.curve(metrics[m]);
        if (curve.empty()) continue;
        const bool smoothed = curve.size() >= 60;
        if (pass == 0 && (!smoothed || metrics.size() > 1)) continue;
        ChartSeries series{.name = run.log.name + (metrics.size() > 1 ? ", " + metrics[m] : ""),
                           .style = run.style,
                           .points = {},
                           .dashed = m > 0,
                           .faint = pass == 0};
        const auto shown = pass == 1 && smoothed ? smooth(curve, curve.size() / 15) : curve;
        const std::size_t stride = std::max<std::size_t>(1, shown.size() / 300);
        for (std::size_t i = 0; i < shown.size(); i += stride)
          series.points.push_back(
              {.x = shown[i].first, .y = shown[i].second, .low = std::nullopt, .high = std::nullopt});
        chart.series.push_back(std::move(series));
      }
    }
  }
  return chart.series.empty() ? "" : figure(heading, caption, svg_line_chart(chart));
}

}  // namespace

std::string headline_section(const std::vector<ReportModel>& models, const std::vector<ReportRun>& runs) {
  const std::vector<std::int64_t> lengths = all_lengths(models);
  std::map<std::int64_t, double> best;
  for (const ReportModel& model : models) {
    for (const LengthSummary& s : model.summary)
      best[s.length] = std::max(best[s.length], s.all.accuracy.value);
  }
  std::string out =
      "<section><h2>Results</h2><p class=\"note\">Share of questions answered correctly, in percent, by "
      "length of "
      "the prompt, with 95% Wilson intervals. An answer is correct when it contains the gold answer as whole "
      "words.</p><div class=\"card scroll\"><table><thead><tr><th scope=\"col\">Model</th>";
  for (const std::int64_t length : lengths)
    out += "<th scope=\"col\" class=\"n\">" + length_column(length, models) + "</th>";
  out +=
      "<th scope=\"col\" class=\"n\">Training</th><th scope=\"col\" class=\"n\">Peak "
      "memory</th></tr></thead><tbody>";
  for (const ReportModel& model : models) {
    out += "<tr><th scope=\"row\">" + swatch(model.style) + escape_xml(model.name) + "</th>";
    for (const std::int64_t length : lengths) {
      const LengthSummary* s = find_summary(model, length);
      if (s == nullptr) {
        out += fmt::format("<td class=\"n\">{}</td>", en_dash);
        continue;
      }
      const Interval& a = s->all.accuracy;
      const bool is_best = a.value == best[length] && models.size() > 1 && a.value > 0;
      out += fmt::format("<td class=\"n\"><span{}>{}</span><span class=\"ci\">{}{}{}</span></td>",
                         is_best ? " class=\"best\"" : "", percent(a.value), percent(a.low), en_dash,
                         percent(a.high));
    }
    const auto run =
        std::find_if(runs.begin(), runs.end(), [&](const ReportRun& r) { return r.log.name == model.name; });
    if (run == runs.end()) {
      out += fmt::format("<td class=\"n\">{0}</td><td class=\"n\">{0}</td>", en_dash);
    } else {
      const double seconds = run->log.largest("seconds"), memory = run->log.largest("peak_memory_bytes");
      out += fmt::format("<td class=\"n\">{}<span class=\"ci\">{} steps</span></td><td class=\"n\">{}</td>",
                         seconds < 1000 ? fmt::format("{:.0f} s", seconds) : format_duration(seconds),
                         run->log.last_step(), memory > 0 ? bytes_text(memory) : en_dash);
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div></section>";
}

std::string length_section(const std::vector<ReportModel>& models) {
  const std::vector<std::int64_t> lengths = all_lengths(models);
  LineChart accuracy{.title = "Accuracy by length of the prompt",
                     .description = describe(models),
                     .x_label = "length of the prompt [tokens]",
                     .y_label = "correct answers",
                     .categories = {},
                     .y_style = NumberStyle::percent,
                     .y_low = 0.0,
                     .y_high = std::nullopt,
                     .series = {}};
  LineChart logp = accuracy;
  logp.title = "Log-probability of the gold answer by length of the prompt";
  logp.y_label = "log-probability per token [nats]";
  logp.y_style = NumberStyle::plain;
  logp.y_low.reset();
  logp.description = "Mean over questions, with 95% bootstrap intervals.";
  for (const std::int64_t length : lengths) accuracy.categories.push_back(length_label(length));
  logp.categories = accuracy.categories;
  for (const ReportModel& model : models) {
    ChartSeries a{.name = model.name, .style = model.style, .points = {}, .markers = true};
    ChartSeries g = a;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      if (const LengthSummary* s = find_summary(model, lengths[i])) {
        const Interval &share = s->all.accuracy, &gold = s->all.gold_logp_per_token;
        const double x = static_cast<double>(i);
        a.points.push_back({.x = x, .y = share.value, .low = share.low, .high = share.high});
        g.points.push_back({.x = x, .y = gold.value, .low = gold.low, .high = gold.high});
      }
    }
    accuracy.series.push_back(std::move(a));
    logp.series.push_back(std::move(g));
  }
  const std::string legend = legend_html(legend_of(models));
  return "<section><h2>By length</h2><div class=\"grid\">" +
         figure("Accuracy", "Greedy answers; bars are 95% Wilson intervals.",
                legend + svg_line_chart(accuracy)) +
         figure("Probability of the gold answer",
                "Higher is better; end of the answer included. Bars are 95% bootstrap intervals.",
                legend + svg_line_chart(logp)) +
         "</div></section>";
}

std::string depth_section(const std::vector<ReportModel>& models) {
  std::vector<std::int64_t> lengths;
  std::set<std::pair<double, double>> ranges;
  for (const ReportModel& model : models) {
    for (const LengthSummary& s : model.summary) {
      for (const DepthCell& d : s.depths) ranges.emplace(d.from, d.to);
      if (!s.depths.empty()) lengths.push_back(s.length);
    }
  }
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  if (lengths.empty()) return "";
  std::string out =
      "<section><h2>By length and depth of the evidence</h2><p class=\"note\">Accuracy in percent. Depth is "
      "the share "
      "of the other passages that stand before the evidence: 0 is the beginning of the prompt, 1 its "
      "end.</p><div class=\"grid small\">";
  for (const ReportModel& model : models) {
    HeatMap map{.title = "Accuracy of " + model.name + " by length and depth",
                .description = "",
                .x_label = "length of the prompt [tokens]",
                .y_label = "depth of the evidence",
                .columns = {},
                .rows = {},
                .cells = {}};
    for (const std::int64_t length : lengths) map.columns.push_back(length_label(length));
    for (const auto& [from, to] : ranges) {
      map.rows.push_back(from == to ? depth_label(from, to)
                                    : fmt::format("{:.1f}{}{:.1f}", from, en_dash, to));
      std::vector<std::optional<HeatCell>> row(lengths.size());
      for (std::size_t c = 0; c < lengths.size(); ++c) {
        const LengthSummary* s = find_summary(model, lengths[c]);
        for (std::size_t d = 0; s != nullptr && d < s->depths.size(); ++d) {
          if (s->depths[d].from != from || s->depths[d].to != to) continue;
          const EvalCell& cell = s->depths[d].cell;
          row[c] = HeatCell{.value = cell.accuracy.value,
                            .text = fmt::format("{:.0f}", 100 * cell.accuracy.value),
                            .note = fmt::format("n={}", cell.questions)};
          map.description += fmt::format("Length {}, depth {}: {} of {}. ", length_label(lengths[c]),
                                         depth_label(from, to), cell.correct, cell.questions);
        }
      }
      map.cells.push_back(std::move(row));
    }
    out += "<figure class=\"card\"><figcaption><h3>" + escape_xml(model.name) + "</h3></figcaption>" +
           svg_heat_map(map) + "</figure>";
  }
  return out + "</div></section>";
}

std::string difference_section(const std::vector<ReportComparison>& comparisons) {
  if (comparisons.empty()) return "";
  std::vector<std::string> firsts;
  for (const ReportComparison& c : comparisons) {
    if (std::find(firsts.begin(), firsts.end(), c.first) == firsts.end()) firsts.push_back(c.first);
  }
  std::string out =
      "<section><h2>Paired differences</h2><p class=\"note\">The same questions with the same contexts, "
      "answered by "
      "both models. Intervals are 95% paired bootstrap; a bold number's interval excludes zero.</p>";
  for (const std::string& first : firsts) {
    std::vector<std::int64_t> lengths;
    for (const ReportComparison& c : comparisons) {
      if (c.first != first) continue;
      for (const PairedLength& l : c.lengths) lengths.push_back(l.all.length);
    }
    std::sort(lengths.begin(), lengths.end());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    ForestPlot accuracy{.title = "Difference in accuracy from " + first,
                        .description = "",
                        .x_label = "difference in accuracy [points]",
                        .style = NumberStyle::percent,
                        .groups = {}};
    ForestPlot logp{.title = "Difference in the gold answer's log-probability from " + first,
                    .description = "",
                    .x_label = "difference in log-probability per token [nats]",
                    .groups = {}};
    std::string rows;
    for (const std::int64_t length : lengths) {
      const std::string name = length == 0 ? "evidence only" : length_label(length) + " tokens";
      accuracy.groups.push_back({.name = name, .rows = {}});
      logp.groups.push_back({.name = name, .rows = {}});
      for (const ReportComparison& c : comparisons) {
        if (c.first != first) continue;
        for (const PairedLength& l : c.lengths) {
          if (l.all.length != length) continue;
          const Interval &a = l.all.accuracy, &g = l.all.gold_logp_per_token;
          accuracy.groups.back().rows.push_back(
              {.name = c.second, .style = c.style, .value = a.value, .low = a.low, .high = a.high});
          logp.groups.back().rows.push_back(
              {.name = c.second, .style = c.style, .value = g.value, .low = g.low, .high = g.high});
          accuracy.description += fmt::format("{}, {}: {:+.1f} points, {:+.1f} to {:+.1f}. ", c.second, name,
                                              100 * a.value, 100 * a.low, 100 * a.high);
          logp.description +=
              fmt::format("{}, {}: {:+.3f}, {:+.3f} to {:+.3f}. ", c.second, name, g.value, g.low, g.high);
          rows += fmt::format(
              "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{:+.1f}<span "
              "class=\"ci\">{:+.1f} to {:+.1f}</span></td><td class=\"n\">{:+.3f}<span class=\"ci\">{:+.3f} "
              "to "
              "{:+.3f}</span></td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
              escape_xml(c.second), escape_xml(name), l.all.questions, 100 * a.value, 100 * a.low,
              100 * a.high, g.value, g.low, g.high, l.all.only_second, l.all.only_first);
        }
      }
    }
    out += "<div class=\"grid\">" + figure("Accuracy, minus " + first, "", svg_forest_plot(accuracy)) +
           figure("Probability of the gold answer, minus " + first, "", svg_forest_plot(logp)) +
           "</div><details><summary>Numbers: differences from " + escape_xml(first) +
           "</summary><div class=\"card scroll\"><table><thead><tr><th scope=\"col\">Model</th><th "
           "scope=\"col\">Length</th><th scope=\"col\" class=\"n\">Questions</th><th scope=\"col\" "
           "class=\"n\">Accuracy, points</th><th scope=\"col\" class=\"n\">Log-prob per token</th><th "
           "scope=\"col\" "
           "class=\"n\">Right only here</th><th scope=\"col\" class=\"n\">Right only "
           "there</th></tr></thead><tbody>" +
           rows + "</tbody></table></div></details>";
  }
  return out + "</section>";
}

std::string training_section(const std::vector<ReportRun>& runs) {
  if (runs.empty()) return "";
  std::vector<LegendEntry> legend;
  bool smoothed = false, aligned = false;
  for (const ReportRun& run : runs) {
    legend.push_back({.name = run.log.name, .style = run.style, .marker = false});
    smoothed |= run.log.curve("loss").size() >= 60;
    aligned |= !run.log.curve("solo_ra/gap").empty();
  }
  std::string out = "<section><h2>Training</h2><p class=\"note\">Means over the records of a step.";
  if (smoothed) out += " Heavy lines are running means over a fifteenth of the run, thin lines single steps.";
  out += "</p>" + legend_html(legend) + "<div class=\"grid small\">";
  out += training_chart(runs, "Loss", "Objectives differ, so compare shapes, not heights.", {"loss"});
  out += training_chart(runs, "Reward of the chosen answer", "", {"rewards/chosen"});
  out += training_chart(runs, "Reward of the rejected answer", "", {"rewards/rejected"});
  out += training_chart(runs, "Margin", "Reward of the chosen answer minus that of the rejected one.",
                        {"rewards/margins"});
  if (aligned) {
    out += training_chart(runs, "Short-to-long gap",
                          "Reward of the chosen answer under the short prompt minus that under the long one.",
                          {"solo_ra/gap"});
    out += training_chart(
        runs, "Both sides of the gap",
        "Solid: under the short prompt. Dashed: under the long one. The gap should close from below.",
        {"solo_ra/reward_short", "solo_ra/reward_long"});
  }
  return out + "</div></section>";
}

std::string sample_section(const std::vector<ReportModel>& models, std::int64_t count) {
  // The longest length that all have; questions on which the models disagree first.
  const EvalLength* longest = nullptr;
  for (const EvalLength& length : models.front().eval.lengths) {
    const bool everywhere = std::all_of(models.begin(), models.end(), [&](const ReportModel& m) {
      return find_summary(m, length.length) != nullptr;
    });
    if (everywhere) longest = &length;
  }
  if (longest == nullptr || count <= 0) return "";
  struct Sample {
    const EvalQuestion* question = nullptr;
    std::vector<const EvalRow*> rows;
    bool disagree = false;
  };
  std::map<std::string, const EvalQuestion*> questions;
  for (const EvalQuestion& q : models.front().eval.questions) questions.emplace(q.id, &q);
  std::vector<std::map<std::string, const EvalRow*>> by_id(models.size());
  for (std::size_t m = 0; m < models.size(); ++m) {
    for (const EvalLength& length : models[m].eval.lengths) {
      if (length.length != longest->length) continue;
      for (const EvalRow& row : length.rows) by_id[m].emplace(row.id, &row);
    }
  }
  std::vector<Sample> samples;
  for (const EvalRow& row : longest->rows) {
    Sample sample;
    if (const auto q = questions.find(row.id); q != questions.end()) sample.question = q->second;
    for (const auto& rows : by_id) {
      const auto found = rows.find(row.id);
      if (found != rows.end()) sample.rows.push_back(found->second);
    }
    if (sample.question == nullptr || sample.rows.size() != models.size()) continue;
    for (const EvalRow* r : sample.rows) sample.disagree |= r->correct != sample.rows.front()->correct;
    samples.push_back(std::move(sample));
  }
  std::stable_partition(samples.begin(), samples.end(), [](const Sample& s) { return s.disagree; });
  if (samples.size() > static_cast<std::size_t>(count)) samples.resize(static_cast<std::size_t>(count));
  if (samples.empty()) return "";

  std::string out = fmt::format(
      "<section><h2>Sample answers</h2><p class=\"note\">At length {}, in the order of the questions, those "
      "first on "
      "which the models disagree. \xe2\x9c\x93 correct, \xe2\x9c\x97 wrong.</p><div class=\"card "
      "scroll\"><table "
      "class=\"samples\"><thead><tr><th scope=\"col\">Question and gold answer</th>",
      escape_xml(length_label(longest->length)));
  for (const ReportModel& model : models) out += "<th scope=\"col\">" + escape_xml(model.name) + "</th>";
  out += "</tr></thead><tbody>";
  for (const Sample& sample : samples) {
    out += "<tr><td>" + escape_xml(sample.question->question) + "<br/><span class=\"gold\">" +
           escape_xml(sample.question->answers.empty() ? "" : sample.question->answers.front()) +
           "</span></td>";
    for (const EvalRow* row : sample.rows) {
      std::string answer = row->answer;
      answer.erase(0, answer.find_first_not_of(" \n\t"));
      out += fmt::format("<td><span class=\"{}\">{}</span> {}{}</td>", row->correct ? "yes" : "no",
                         row->correct ? "\xe2\x9c\x93" : "\xe2\x9c\x97", escape_xml(printable(answer, 160)),
                         row->finished ? "" : " \xe2\x80\xa6");
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div></section>";
}

std::string provenance_section(const std::vector<ReportModel>& models, const std::string& commands) {
  std::string out = "<section><h2>How this was made</h2>";
  if (!commands.empty())
    out += "<div class=\"card\"><h3>Commands</h3><pre>" + escape_xml(commands) + "</pre></div>";
  const auto list = [](const io::Json& object) {
    std::string items;
    for (const auto& [key, value] : object.items()) {
      items += "<dt>" + escape_xml(key) + "</dt><dd>" +
               escape_xml(value.is_string() ? value.get<std::string>() : io::dump_json(value)) + "</dd>";
    }
    return "<dl>" + items + "</dl>";
  };
  const EvalResult& first = models.front().eval;
  out += "<div class=\"grid\"><div class=\"card\"><h3>Evaluation</h3>" + list(first.settings) +
         "</div><div class=\"card\"><h3>Machine</h3>" +
         (first.machine.is_object() ? list(first.machine) : std::string()) + "</div></div>";
  out += "<details><summary>Command of each evaluation</summary><div class=\"card\"><dl>";
  for (const ReportModel& model : models) {
    out += "<dt>" + escape_xml(model.name) + "</dt><dd>" + escape_xml(model.eval.command) +
           fmt::format(" ({}, {})</dd>", format_duration(model.eval.seconds),
                       bytes_text(model.eval.peak_memory_bytes));
  }
  return out + "</dl></div></details></section>";
}

}  // namespace solopo::cli
