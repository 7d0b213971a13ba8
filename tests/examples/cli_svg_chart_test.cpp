#include "svg_chart.hpp"

#include <cmath>
#include <limits>
#include <regex>
#include <string>

#include "catch.hpp"
#include "cli_markup.hpp"

using namespace solopo::cli;

TEST_CASE("Axes have round ticks around the data") {
  const Axis a = nice_axis(0, 0.83);
  CHECK(a.low == 0);
  CHECK(a.high == Approx(1));
  CHECK(a.step == Approx(0.2));
  const Axis b = nice_axis(-3.3, 7.2);
  CHECK(b.low <= -3.3);
  CHECK(b.high >= 7.2);
  CHECK(b.ticks.size() >= 4);
  CHECK(b.ticks.size() <= 8);
  bool zero = false;
  for (const double tick : b.ticks) zero |= tick == 0;
  CHECK(zero);
}

TEST_CASE("Axes of nothing, of one value and of huge values still have ticks") {
  for (const auto& [low, high] : {std::pair<double, double>{HUGE_VAL, -HUGE_VAL},
                                  {3, 3},
                                  {0, 0},
                                  {1e12, 1e12},
                                  {-1e-9, 1e-9},
                                  {std::nan(""), 1}}) {
    CAPTURE(low, high);
    const Axis a = nice_axis(low, high);
    CHECK(a.ticks.size() >= 2);
    CHECK(a.ticks.size() < 20);
    CHECK(a.low < a.high);
    CHECK(std::isfinite(a.place(low)) == !std::isnan(low));
  }
}

TEST_CASE("Ticks are written with the decimals that their step needs") {
  CHECK(tick_text(0.25, 0.25, NumberStyle::percent) == "25%");
  CHECK(tick_text(0.5, 0.1) == "0.5");
  CHECK(tick_text(0, 0.1) == "0.0");
  CHECK(tick_text(100, 50) == "100");
  CHECK(tick_text(-1, 1) ==
        "\xe2\x88\x92"
        "1");
  CHECK(tick_text(20000, 5000) == "20k");
}

TEST_CASE("Text that looks like markup stays text") {
  CHECK(escape_xml("<a href=\"x\">&'\x01") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
}

TEST_CASE("A line chart is well-formed and breaks its line where a value is missing") {
  LineChart chart{.title = "a <b>", .description = "d", .x_label = "step", .y_label = "loss"};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  chart.series.push_back(
      {.name = "one & two",
       .style = 9,
       .points = {{.x = 0, .y = 1}, {.x = 1, .y = nan}, {.x = 2, .y = 3}, {.x = 3, .y = 2}}});
  const std::string svg = svg_line_chart(chart);
  CHECK(markup_problem(svg) == "");
  CHECK(svg.find("a &lt;b&gt;") != std::string::npos);
  std::smatch path;
  REQUIRE(std::regex_search(svg, path, std::regex("<path d=\"([^\"]*)\" class=\"line s1\"")));
  const std::string d = path[1];
  CHECK(std::count(d.begin(), d.end(), 'M') == 2);
  CHECK(std::count(d.begin(), d.end(), 'L') == 1);
}

TEST_CASE("A chart without a single finite value is still well-formed") {
  LineChart chart{.title = "t", .description = "d", .x_label = "x", .y_label = "y"};
  CHECK(markup_problem(svg_line_chart(chart)) == "");
  chart.series.push_back({.name = "n", .points = {{.x = 0, .y = HUGE_VAL}}});
  CHECK(markup_problem(svg_line_chart(chart)) == "");
  CHECK(markup_problem(svg_heat_map({})) == "");
  CHECK(markup_problem(svg_forest_plot({})) == "");
}

TEST_CASE("Interval bars of several series do not cover each other") {
  LineChart chart{.title = "t", .description = "d", .x_label = "x", .y_label = "y"};
  chart.categories = {"a", "b"};
  for (int s = 0; s < 5; ++s) {
    chart.series.push_back(
        {.name = "s", .style = s, .points = {{.x = 0, .y = 0.5, .low = 0.4, .high = 0.6}}, .markers = true});
  }
  const std::string svg = svg_line_chart(chart);
  CHECK(markup_problem(svg) == "");
  const std::regex bar("<line x1=\"([0-9.]+)\" y1=\"[0-9.]+\" x2=\"\\1\" y2=\"[0-9.]+\" class=\"bar");
  std::vector<double> places;
  for (std::sregex_iterator i(svg.begin(), svg.end(), bar), end; i != end; ++i)
    places.push_back(std::stod((*i)[1]));
  REQUIRE(places.size() == 5);
  for (std::size_t i = 1; i < places.size(); ++i) CHECK(places[i] - places[i - 1] >= 5);
}

TEST_CASE("A forest plot keeps everything inside its frame and marks intervals without zero") {
  const ForestPlot plot{
      .title = "t",
      .description = "d",
      .x_label = "difference",
      .style = NumberStyle::percent,
      .groups = {{.name = "1K",
                  .rows = {{.name = "a very long model name that does not fit at all",
                            .value = 0.1,
                            .low = 0.02,
                            .high = 0.2},
                           {.name = "b", .style = 1, .value = -0.8, .low = -0.9, .high = 0.1}}}}};
  const std::string svg = svg_forest_plot(plot);
  CHECK(markup_problem(svg) == "");
  // Names that begin alike stay apart: they go on in further lines.
  for (const char* word : {"very", "long", "model", "name", "that", "does", "not", "fit", "at all"})
    CHECK(svg.find(word) != std::string::npos);
  CHECK(svg.find("\xe2\x80\xa6") == std::string::npos);
  CHECK(svg.find("class=\"value clear\">+10.0<") != std::string::npos);
  CHECK(svg.find("class=\"value\">\xe2\x88\x92"
                 "80.0<") != std::string::npos);
  const std::regex coordinate(" x[12]?=\"(-?[0-9.]+)\"");
  for (std::sregex_iterator i(svg.begin(), svg.end(), coordinate), end; i != end; ++i) {
    CHECK(std::stod((*i)[1]) >= 0);
    CHECK(std::stod((*i)[1]) <= 480);
  }
}
