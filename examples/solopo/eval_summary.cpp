#include "eval_summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <utility>

#include "solopo/core/error.hpp"
#include "text_table.hpp"

namespace solopo::cli {
namespace {

struct DepthRange {
  double from, to;
  [[nodiscard]] bool holds(double depth) const {
    if (from == to) return depth == from;
    return depth >= from && (depth < to || (to == 1 && depth <= 1));
  }
};

bool near(double a, double b) { return std::abs(a - b) < 1e-9; }

// Where the settings list depths, a context's own depth is that share rounded to whole distractors; it counts
// for the nearest.
struct Depths {
  std::vector<double> listed;  // empty: five ranges
  std::vector<DepthRange> ranges;

  explicit Depths(const io::Json& settings) {
    const auto found = settings.find("depths");
    if (found != settings.end() && found->is_array()) {
      for (const io::Json& d : *found) {
        if (d.is_number()) listed.push_back(d.get<double>());
      }
    }
    std::sort(listed.begin(), listed.end());
    listed.erase(std::unique(listed.begin(), listed.end(), near), listed.end());
    for (const double d : listed) ranges.push_back({d, d});
    for (int i = 0; listed.empty() && i < 5; ++i) ranges.push_back({i / 5.0, i == 4 ? 1.0 : (i + 1) / 5.0});
  }

  [[nodiscard]] std::size_t of(double depth) const {
    if (!listed.empty()) {
      const auto nearest = std::min_element(listed.begin(), listed.end(), [&](double a, double b) {
        return std::abs(a - depth) < std::abs(b - depth);
      });
      return static_cast<std::size_t>(nearest - listed.begin());
    }
    std::size_t i = 0;
    while (i + 1 < ranges.size() && !ranges[i].holds(depth)) ++i;
    return i;
  }
};

EvalCell cell_of(const std::vector<const EvalRow*>& rows, const BootstrapOptions& options) {
  EvalCell out;
  std::vector<double> logps;
  for (const EvalRow* row : rows) {
    out.correct += row->correct;
    logps.push_back(row->gold_logp_per_token);
  }
  out.questions = static_cast<std::int64_t>(rows.size());
  out.accuracy = wilson(out.correct, out.questions);
  out.gold_logp_per_token = bootstrap_mean(logps, options);
  return out;
}

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }
std::string share_text(const Interval& i) {
  return fmt::format("{} [{}, {}]", percent(i.value), percent(i.low), percent(i.high));
}
std::string signed_percent(const Interval& i) {
  return fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", 100 * i.value, 100 * i.low, 100 * i.high);
}
std::string number_text(const Interval& i) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", i.value, i.low, i.high);
}
std::string signed_number(const Interval& i) {
  return fmt::format("{:+.3f} [{:+.3f}, {:+.3f}]", i.value, i.low, i.high);
}

struct RowPair {
  const EvalRow *first, *second;
};

PairedDifference difference_of(const std::vector<RowPair>& pairs, const BootstrapOptions& options) {
  PairedDifference out;
  std::vector<double> accuracy, logp;
  for (const auto& [first, second] : pairs) {
    out.only_first += first->correct && !second->correct;
    out.only_second += second->correct && !first->correct;
    accuracy.push_back(static_cast<double>(second->correct) - static_cast<double>(first->correct));
    logp.push_back(second->gold_logp_per_token - first->gold_logp_per_token);
  }
  out.questions = static_cast<std::int64_t>(pairs.size());
  out.accuracy = bootstrap_mean(accuracy, options);
  out.gold_logp_per_token = bootstrap_mean(logp, options);
  return out;
}

const EvalLength* find_length(const EvalResult& result, std::int64_t length) {
  for (const EvalLength& l : result.lengths) {
    if (l.length == length) return &l;
  }
  return nullptr;
}

// The two must have asked the same; says where they first differ.
void require_same_questions(const EvalLength& a, const std::string& a_name, const EvalLength& b,
                            const std::string& b_name) {
  const auto refuse = [&](const std::string& reason) {
    throw DataError("questions_differ", {.file = b_name, .field = "length " + length_label(b.length)},
                    reason + "; only evaluations of the same questions can be compared");
  };
  const std::size_t n = std::min(a.rows.size(), b.rows.size());
  for (std::size_t i = 0; i < n; ++i) {
    if (a.rows[i].id == b.rows[i].id) continue;
    refuse("question " + std::to_string(i + 1) + " is '" + printable(b.rows[i].id) + "', but '" +
           printable(a.rows[i].id) + "' in " + a_name);
  }
  if (a.rows.size() != b.rows.size()) {
    const bool more = b.rows.size() > n;
    refuse(std::string(more ? "it has" : "it lacks") + " question '" + printable((more ? b : a).rows[n].id) +
           "', which " + a_name + (more ? " lacks" : " has"));
  }
  if (a.contexts_sha256 != b.contexts_sha256)
    refuse("its contexts are not those of " + a_name + " (another seed, depths, prompt format or tokenizer)");
}

}  // namespace

std::string depth_label(double from, double to) {
  return from == to ? fmt::format("{:.2f}", from) : fmt::format("{:.1f}-{:.1f}", from, to);
}

std::vector<LengthSummary> summarise(const EvalResult& result, const BootstrapOptions& options) {
  const Depths depths(result.settings);
  std::vector<LengthSummary> out;
  for (const EvalLength& length : result.lengths) {
    LengthSummary summary{.length = length.length, .median_tokens = 0, .all = {}, .depths = {}};
    std::vector<const EvalRow*> all;
    std::vector<std::vector<const EvalRow*>> parts(depths.ranges.size());
    std::vector<std::int64_t> tokens;
    for (const EvalRow& row : length.rows) {
      all.push_back(&row);
      tokens.push_back(row.tokens);
      if (row.depth) parts[depths.of(*row.depth)].push_back(&row);
    }
    if (all.empty()) continue;
    std::sort(tokens.begin(), tokens.end());
    summary.median_tokens = tokens[(tokens.size() - 1) / 2];
    summary.all = cell_of(all, options);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].empty()) {
        summary.depths.push_back(
            {.from = depths.ranges[i].from, .to = depths.ranges[i].to, .cell = cell_of(parts[i], options)});
      }
    }
    out.push_back(std::move(summary));
  }
  return out;
}

void require_comparable(const EvalResult& first, const std::string& first_name, const EvalResult& second,
                        const std::string& second_name) {
  bool any = false;
  for (const EvalLength& a : first.lengths) {
    const EvalLength* b = find_length(second, a.length);
    if (b == nullptr) continue;
    require_same_questions(a, first_name, *b, second_name);
    any = true;
  }
  if (any) return;
  throw DataError("no_common_length", {.file = second_name, .field = "lengths"},
                  "it has no length in common with " + first_name);
}

std::vector<PairedLength> compare(const EvalResult& first, const std::string& first_name,
                                  const EvalResult& second, const std::string& second_name,
                                  const BootstrapOptions& options) {
  require_comparable(first, first_name, second, second_name);
  const Depths depths(first.settings);
  std::vector<PairedLength> out;
  for (const EvalLength& a : first.lengths) {
    const EvalLength* b = find_length(second, a.length);
    if (b == nullptr) continue;
    std::vector<RowPair> all;
    std::vector<std::vector<RowPair>> parts(depths.ranges.size());
    for (std::size_t i = 0; i < a.rows.size(); ++i) {
      all.push_back({&a.rows[i], &b->rows[i]});
      if (a.rows[i].depth) parts[depths.of(*a.rows[i].depth)].push_back(all.back());
    }
    PairedLength length{.all = difference_of(all, options), .depths = {}};
    length.all.length = a.length;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) continue;
      length.depths.push_back(difference_of(parts[i], options));
      length.depths.back().length = a.length;
      length.depths.back().from = depths.ranges[i].from;
      length.depths.back().to = depths.ranges[i].to;
    }
    out.push_back(std::move(length));
  }
  return out;
}

void print_summary(const EvalResult& result, std::ostream& out) {
  const std::vector<LengthSummary> summaries = summarise(result);
  TextTable table({"length", "tokens", "questions", "accuracy % [95 %]", "gold log-prob per token [95 %]"});
  bool any_depth = false;
  for (const LengthSummary& s : summaries) {
    any_depth |= !s.depths.empty();
    table.add({length_label(s.length), std::to_string(s.median_tokens), std::to_string(s.all.questions),
               share_text(s.all.accuracy), number_text(s.all.gold_logp_per_token)});
  }
  table.print(out);
  if (!any_depth) return;
  out << "\nby depth of the evidence (0: first)\n";
  TextTable by_depth({"length", "depth", "questions", "accuracy % [95 %]", "gold log-prob per token [95 %]"});
  for (const LengthSummary& s : summaries) {
    for (const DepthCell& d : s.depths) {
      by_depth.add({length_label(s.length), depth_label(d.from, d.to), std::to_string(d.cell.questions),
                    share_text(d.cell.accuracy), number_text(d.cell.gold_logp_per_token)});
    }
  }
  by_depth.print(out);
}

void print_differences(const std::vector<PairedLength>& differences, const std::string& first_name,
                       const std::string& second_name, std::ostream& out) {
  out << second_name << " minus " << first_name << " (paired bootstrap, 95 %)\n";
  TextTable table({"length", "depth", "questions", "accuracy, points", "only first", "only second",
                   "gold log-prob per token"});
  const auto add = [&](const PairedDifference& d, const std::string& depth) {
    table.add({length_label(d.length), depth, std::to_string(d.questions), signed_percent(d.accuracy),
               std::to_string(d.only_first), std::to_string(d.only_second),
               signed_number(d.gold_logp_per_token)});
  };
  for (const PairedLength& length : differences) add(length.all, "all");
  for (const PairedLength& length : differences) {
    for (const PairedDifference& d : length.depths) add(d, depth_label(d.from, d.to));
  }
  table.print(out);
}

io::Json to_json(const Interval& interval) {
  return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

namespace {
io::Json to_json(const EvalCell& cell) {
  return {{"questions", cell.questions},
          {"correct", cell.correct},
          {"accuracy", cli::to_json(cell.accuracy)},
          {"gold_logp_per_token", cli::to_json(cell.gold_logp_per_token)}};
}
io::Json to_json(const PairedDifference& d) {
  return {{"questions", d.questions},
          {"only_first", d.only_first},
          {"only_second", d.only_second},
          {"accuracy", cli::to_json(d.accuracy)},
          {"gold_logp_per_token", cli::to_json(d.gold_logp_per_token)}};
}
}  // namespace

io::Json to_json(const LengthSummary& summary) {
  io::Json out = to_json(summary.all);
  out["length"] = summary.length;
  out["median_tokens"] = summary.median_tokens;
  out["by_depth"] = io::Json::array();
  for (const DepthCell& d : summary.depths) {
    io::Json cell = to_json(d.cell);
    cell["from"] = d.from;
    cell["to"] = d.to;
    out["by_depth"].push_back(std::move(cell));
  }
  return out;
}

io::Json to_json(const PairedLength& difference) {
  io::Json out = to_json(difference.all);
  out["length"] = difference.all.length;
  out["by_depth"] = io::Json::array();
  for (const PairedDifference& d : difference.depths) {
    io::Json cell = to_json(d);
    cell["from"] = d.from;
    cell["to"] = d.to;
    out["by_depth"].push_back(std::move(cell));
  }
  return out;
}

}  // namespace solopo::cli
