// Charts as inline SVG: colours come from the page's style sheet (classes s0 .. s7 and the variables of
// report_style.hpp), so one chart serves light and dark pages. Every chart has a title and a description for
// those who cannot see it. Series differ by colour and by marker.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "svg_axis.hpp"

namespace solopo::cli {

constexpr int series_styles = 8;  // colours and markers; a ninth series looks like the first

std::string escape_xml(std::string_view text);

struct ChartPoint {
  double x = 0, y = 0;
  std::optional<double> low{}, high{};  // an interval around y
};

struct ChartSeries {
  std::string name{};
  int style = 0;
  std::vector<ChartPoint> points{};  // points that are not finite break the line
  bool dashed = false;
  bool faint = false;    // a background line, without a name of its own
  bool markers = false;  // at every point
};

struct LineChart {
  std::string title{}, description{};
  std::string x_label{}, y_label{};
  std::vector<std::string> categories{};  // x counts in this list; empty: x is a number
  NumberStyle y_style = NumberStyle::plain;
  std::optional<double> y_low{}, y_high{};  // the axis goes at least this far
  std::vector<ChartSeries> series{};
  double width = 480, height = 300;
};
std::string svg_line_chart(const LineChart& chart);

struct HeatCell {
  double value = 0;  // 0 .. 1
  std::string text{}, note{};
};
struct HeatMap {
  std::string title{}, description{};
  std::string x_label{}, y_label{};
  std::vector<std::string> columns{}, rows{};
  std::vector<std::vector<std::optional<HeatCell>>> cells{};  // [row][column]
};
std::string svg_heat_map(const HeatMap& map);

struct ForestRow {
  std::string name{};
  int style = 0;
  double value = 0, low = 0, high = 0;
};
struct ForestGroup {
  std::string name{};
  std::vector<ForestRow> rows{};
};
// Differences with their intervals around a line at zero.
struct ForestPlot {
  std::string title{}, description{};
  std::string x_label{};
  NumberStyle style = NumberStyle::plain;
  std::vector<ForestGroup> groups{};
};
std::string svg_forest_plot(const ForestPlot& plot);

struct LegendEntry {
  std::string name{};
  int style = 0;
  bool dashed = false, marker = true;
};
// A list in HTML that wraps as the page does.
std::string legend_html(const std::vector<LegendEntry>& entries);

}  // namespace solopo::cli
