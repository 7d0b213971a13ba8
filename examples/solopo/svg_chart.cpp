#include "svg_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace solopo::cli {
namespace {

constexpr double font = 12;

// A coordinate, without needless digits.
std::string at(double v) {
  std::string text = fmt::format("{:.2f}", v);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string head(double width, double height, const std::string& title, const std::string& description) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "preserveAspectRatio=\"xMidYMid meet\">"
      "<title>{}</title><desc>{}</desc>",
      at(width), at(height), escape_xml(title), escape_xml(description));
}

std::string text(double x, double y, const char* anchor, const char* css, std::string_view content) {
  return fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\" class=\"{}\">{}</text>", at(x), at(y),
                     anchor, css, escape_xml(content));
}

std::string line(double x1, double y1, double x2, double y2, std::string_view css) {
  return fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"/>", at(x1), at(y1), at(x2),
                     at(y2), css);
}

// A shape of its own for each style, about 8 units wide.
std::string marker(double x, double y, int style) {
  const int s = style % series_styles;
  const auto path = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string d;
    for (const auto& [dx, dy] : corners) d += (d.empty() ? "M" : "L") + at(x + dx) + " " + at(y + dy);
    return fmt::format("<path d=\"{}Z\" class=\"mark s{}\"/>", d, s);
  };
  switch (s) {
    case 1:
      return path({{-3.6, -3.6}, {3.6, -3.6}, {3.6, 3.6}, {-3.6, 3.6}});
    case 2:
      return path({{0, -4.8}, {4.6, 3.6}, {-4.6, 3.6}});
    case 3:
      return path({{0, -5.2}, {5.2, 0}, {0, 5.2}, {-5.2, 0}});
    case 4:
      return path({{0, 4.8}, {4.6, -3.6}, {-4.6, -3.6}});
    case 5:
      return path({{-4, -1.4},
                   {-1.4, -1.4},
                   {-1.4, -4},
                   {1.4, -4},
                   {1.4, -1.4},
                   {4, -1.4},
                   {4, 1.4},
                   {1.4, 1.4},
                   {1.4, 4},
                   {-1.4, 4},
                   {-1.4, 1.4},
                   {-4, 1.4}});
    case 6:
      return path({{0, -4.8}, {4.6, -1.5}, {2.8, 3.9}, {-2.8, 3.9}, {-4.6, -1.5}});
    case 7:
      return path({{-2.2, -4.4}, {2.2, -4.4}, {4.6, 0}, {2.2, 4.4}, {-2.2, 4.4}, {-4.6, 0}});
    default:
      return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"4\" class=\"mark s{}\"/>", at(x), at(y), s);
  }
}

bool is_finite(const ChartPoint& p) { return std::isfinite(p.x) && std::isfinite(p.y); }

struct Range {
  double low = HUGE_VAL, high = -HUGE_VAL;
  void take(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
};

}  // namespace

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Control characters have no place in XML.
        out += (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') ? ' ' : c;
    }
  }
  return out;
}

std::string svg_line_chart(const LineChart& chart) {
  Range xs, ys;
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& p : series.points) {
      if (!is_finite(p)) continue;
      xs.take(p.x);
      ys.take(p.y);
      if (p.low) ys.take(*p.low);
      if (p.high) ys.take(*p.high);
    }
  }
  if (chart.y_low) ys.take(*chart.y_low);
  if (chart.y_high) ys.take(*chart.y_high);
  const bool categorical = !chart.categories.empty();
  const Axis y = nice_axis(ys.low, ys.high, 5);
  const Axis x = nice_axis(xs.low, xs.high, 6, true);

  double label_width = 0;
  for (const double tick : y.ticks)
    label_width = std::max(label_width, text_width(tick_text(tick, y.step, chart.y_style), font));
  const double left = label_width + 12, right = chart.width - 14, top = chart.y_label.empty() ? 10 : 30,
               bottom = chart.height - 44;
  const double slots = static_cast<double>(chart.categories.size());
  const auto px = [&](double v) {
    return categorical ? left + (right - left) * (v + 0.5) / slots : left + (right - left) * x.place(v);
  };
  const auto py = [&](double v) { return bottom - (bottom - top) * y.place(v); };

  std::string out = head(chart.width, chart.height, chart.title, chart.description);
  if (!chart.y_label.empty()) out += text(0, 14, "start", "axis-title", chart.y_label);
  for (const double tick : y.ticks) {
    out += line(left, py(tick), right, py(tick), tick == 0 && y.low < 0 ? "grid zero" : "grid");
    out += text(left - 7, py(tick) + 4, "end", "tick", tick_text(tick, y.step, chart.y_style));
  }
  out += line(left, bottom, right, bottom, "axis");
  if (categorical) {
    for (std::size_t i = 0; i < chart.categories.size(); ++i)
      out += text(px(static_cast<double>(i)), bottom + 18, "middle", "tick", chart.categories[i]);
  } else {
    for (const double tick : x.ticks) {
      out += line(px(tick), bottom, px(tick), bottom + 4, "axis");
      const std::string label = tick_text(tick, x.step);
      const double half = text_width(label, font) / 2;
      out += text(std::min(px(tick), chart.width - half), bottom + 18, "middle", "tick", label);
    }
  }
  out += text((left + right) / 2, chart.height - 6, "middle", "axis-title", chart.x_label);

  // Series with intervals stand side by side, so that their bars do not cover each other.
  double dodged = 0, turn = 0;
  for (const ChartSeries& series : chart.series) dodged += series.markers;
  const double gap = categorical && dodged > 1 ? std::min(9.0, 0.5 * (right - left) / slots / dodged) : 0;
  for (const ChartSeries& series : chart.series) {
    const double shift = series.markers ? gap * (turn++ - (dodged - 1) / 2) : 0;
    const std::string css = fmt::format("s{}", series.style % series_styles);
    std::string d;
    bool open = false;
    for (const ChartPoint& p : series.points) {
      if (!is_finite(p)) {
        open = false;
        continue;
      }
      d += (open ? "L" : "M") + at(px(p.x) + shift) + " " + at(py(p.y));
      open = true;
    }
    if (d.empty()) continue;
    out += "<g class=\"series\">";
    if (!series.faint) out += "<title>" + escape_xml(series.name) + "</title>";
    for (const ChartPoint& p : series.points) {
      if (!is_finite(p) || !p.low || !p.high) continue;
      const double cx = px(p.x) + shift;
      out += line(cx, py(*p.low), cx, py(*p.high), "bar " + css);
      for (const double end : {*p.low, *p.high})
        out += line(cx - 2.5, py(end), cx + 2.5, py(end), "bar " + css);
    }
    out += fmt::format("<path d=\"{}\" class=\"line {}{}{}\"/>", d, css, series.dashed ? " dashed" : "",
                       series.faint ? " faint" : "");
    if (series.markers) {
      for (const ChartPoint& p : series.points) {
        if (is_finite(p)) out += marker(px(p.x) + shift, py(p.y), series.style);
      }
    }
    out += "</g>";
  }
  return out + "</svg>";
}

std::string svg_heat_map(const HeatMap& map) {
  double label_width = 0;
  for (const std::string& row : map.rows) label_width = std::max(label_width, text_width(row, font));
  const double width = 340, left = label_width + 10, top = 28, cell_height = 38;
  const double cell_width =
      (width - left) / static_cast<double>(std::max<std::size_t>(1, map.columns.size()));
  const double bottom = top + cell_height * static_cast<double>(map.rows.size());
  std::string out = head(width, bottom + 42, map.title, map.description);
  out += text(0, 14, "start", "axis-title", map.y_label);
  for (std::size_t r = 0; r < map.rows.size(); ++r) {
    const double y = top + cell_height * static_cast<double>(r);
    out += text(left - 7, y + cell_height / 2 + 4, "end", "tick", map.rows[r]);
    for (std::size_t c = 0; c < map.columns.size(); ++c) {
      const double x = left + cell_width * static_cast<double>(c);
      const auto& cell = map.cells[r][c];
      const double value = cell ? std::clamp(cell->value, 0.0, 1.0) : 0;
      out += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\" class=\"{}\" fill-opacity=\"{}\"/>",
          at(x + 1), at(y + 1), at(cell_width - 2), at(cell_height - 2), cell ? "heat" : "heat-none",
          at(cell ? 0.06 + 0.94 * value : 1));
      if (!cell) continue;
      const char* tone = value > 0.6 ? "heat-text on" : "heat-text";
      out += text(x + cell_width / 2, y + (cell->note.empty() ? 23 : 18), "middle", tone, cell->text);
      if (!cell->note.empty())
        out += text(x + cell_width / 2, y + 31, "middle", value > 0.6 ? "heat-note on" : "heat-note",
                    cell->note);
    }
  }
  for (std::size_t c = 0; c < map.columns.size(); ++c) {
    out += text(left + cell_width * (static_cast<double>(c) + 0.5), bottom + 16, "middle", "tick",
                map.columns[c]);
  }
  out += text((left + width) / 2, bottom + 36, "middle", "axis-title", map.x_label);
  return out + "</svg>";
}

namespace {

// Text that is wider than its place, with an ellipsis for what is left out.
std::string cut_text(std::string text, double width) {
  const std::size_t size = text.size();
  while (text_width(text, font) > width && text.size() > 4) {
    std::size_t cut = text.size() - 1;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
    text.resize(cut);
  }
  return text.size() == size ? text : text + "\xe2\x80\xa6";
}

// Lines of whole words that fit into `width`; a word that does not is cut.
std::vector<std::string> wrap_text(std::string_view text, double width) {
  std::vector<std::string> lines(1);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word(text.substr(begin, end - begin));
    begin = end + 1;
    std::string& last = lines.back();
    if (const std::string longer = last.empty() ? word : last + " " + word;
        text_width(longer, font) <= width || last.empty()) {
      last = longer;
    } else {
      lines.push_back(word);
    }
  }
  for (std::string& line : lines) line = cut_text(line, width);
  return lines;
}

}  // namespace

std::string svg_forest_plot(const ForestPlot& plot) {
  constexpr double row_height = 22, line_height = 13, group_height = 26, width = 480;
  Range range;
  range.take(0);
  double names = 60;
  for (const ForestGroup& group : plot.groups)
    for (const ForestRow& row : group.rows) {
      range.take(row.low);
      range.take(row.high);
      names = std::max(names, text_width(row.name, font) + 14);
    }
  names = std::min(names, 190.0);
  const auto lines_of = [&](const ForestRow& row) { return wrap_text(row.name, names - 14); };
  const auto height_of = [&](std::size_t lines) {
    return row_height + line_height * static_cast<double>(lines - 1);
  };
  double height = 6;
  for (const ForestGroup& group : plot.groups) {
    height += group_height;
    for (const ForestRow& row : group.rows) height += height_of(lines_of(row).size());
  }
  const double left = names + 10, right = width - 62, bottom = height + 4;
  const double scale = plot.style == NumberStyle::percent ? 100 : 1;  // points, not a share
  Axis x;
  for (int count = 6; count >= 2; --count) {  // as many ticks as have room
    x = nice_axis(range.low, range.high, count);
    double widest = 0;
    for (const double tick : x.ticks)
      widest = std::max(widest, text_width(tick_text(scale * tick, scale * x.step), font));
    if ((widest + 8) * static_cast<double>(x.ticks.size() - 1) <= right - left) break;
  }
  const auto px = [&](double v) { return left + (right - left) * x.place(v); };
  std::string out = head(width, bottom + 42, plot.title, plot.description);
  for (const double tick : x.ticks) {
    out += line(px(tick), 6, px(tick), bottom, tick == 0 ? "grid zero" : "grid");
    out += text(px(tick), bottom + 16, "middle", "tick", tick_text(scale * tick, scale * x.step));
  }
  out += text((left + right) / 2, bottom + 36, "middle", "axis-title", plot.x_label);
  double y = 6;
  for (const ForestGroup& group : plot.groups) {
    out += text(0, y + 18, "start", "group", group.name);
    y += group_height;
    for (const ForestRow& row : group.rows) {
      const std::vector<std::string> lines = lines_of(row);
      const double middle = y + height_of(lines.size()) / 2;
      const std::string css = fmt::format("s{}", row.style % series_styles);
      for (std::size_t i = 0; i < lines.size(); ++i)
        out +=
            text(8, y + row_height / 2 + 4 + line_height * static_cast<double>(i), "start", "tick", lines[i]);
      out += "<g class=\"series\">" + line(px(row.low), middle, px(row.high), middle, "bar " + css);
      for (const double end : {row.low, row.high})
        out += line(px(end), middle - 3, px(end), middle + 3, "bar " + css);
      out += marker(px(row.value), middle, row.style) + "</g>";
      const double shown = scale * row.value;
      std::string value =
          plot.style == NumberStyle::percent ? fmt::format("{:+.1f}", shown) : fmt::format("{:+.2f}", shown);
      if (value[0] == '-') value.replace(0, 1, "\xe2\x88\x92");
      const bool clear = row.low > 0 || row.high < 0;
      out += text(width - 2, middle + 4, "end", clear ? "value clear" : "value", value);
      y += height_of(lines.size());
    }
  }
  return out + "</svg>";
}

std::string legend_html(const std::vector<LegendEntry>& entries) {
  std::string out = "<ul class=\"legend\">";
  for (const LegendEntry& entry : entries) {
    out += fmt::format(
        "<li><svg viewBox=\"0 0 30 12\" width=\"30\" height=\"12\" aria-hidden=\"true\"><path d=\"M1 6L29 "
        "6\" "
        "class=\"line s{}{}\"/>{}</svg><span>{}</span></li>",
        entry.style % series_styles, entry.dashed ? " dashed" : "",
        entry.marker ? marker(15, 6, entry.style) : "", escape_xml(entry.name));
  }
  return out + "</ul>";
}

}  // namespace solopo::cli
