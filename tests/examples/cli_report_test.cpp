#include "report.hpp"

#include <cmath>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "cli_eval_fixture.hpp"
#include "cli_markup.hpp"
#include "solopo/io/jsonl.hpp"
#include "text_file.hpp"
#include "training_log.hpp"
#include "usage_error.hpp"

using namespace solopo;
using namespace solopo::cli;

namespace {

void write_metrics(const std::filesystem::path& path, int steps) {
  io::JsonlWriter out(path);
  for (int s = 1; s <= steps; ++s) {
    io::Json line = {{"step", s},
                     {"loss", 2.0 / s},
                     {"rewards/chosen", 0.1 * s},
                     {"rewards/rejected", -0.1 * s},
                     {"rewards/margins", 0.2 * s},
                     {"solo_ra/gap", 1.0 / s},
                     {"solo_ra/reward_short", 1.0},
                     {"solo_ra/reward_long", 1 - 1.0 / s},
                     {"seconds", 2.0 * s},
                     {"peak_memory_bytes", 3e8}};
    if (s == 3) line["loss"] = std::nan("");
    out.write(line);
  }
  out.write({{"step", steps}, {"eval_loss", 0.5}});
  out.commit();
}

struct Page {
  std::string html, log;
};

Page make_report(const ScratchFolder& folder, int steps) {
  write_eval(folder / "start.json", made_up_eval("start", 20, 8));
  write_eval(folder / "solo.json", made_up_eval("solo", 20, 13));
  write_metrics(folder / "metrics.jsonl", steps);
  std::ostringstream out, log;
  run_report({.title = "A <title> & more",
              .note = "a note",
              .evals = {{"start", folder / "start.json"}, {"SoLo <PO>", folder / "solo.json"}},
              .trains = {{"SoLo <PO>", folder / "metrics.jsonl"}},
              .out = folder / "report.html",
              .metrics_out = folder / "all.jsonl"},
             {.out = out, .log = log});
  return {read_text_file(folder / "report.html"), log.str()};
}

}  // namespace

TEST_CASE("The report is well-formed, whatever stands in names and answers") {
  const ScratchFolder folder("report");
  for (const int steps : {1, 5, 200}) {
    const Page page = make_report(folder, steps);
    CAPTURE(steps);
    CHECK(markup_problem(page.html) == "");
    CHECK(page.html.find("<script") == std::string::npos);
    CHECK(page.html.find("&lt;/td&gt;&lt;script&gt;") != std::string::npos);
  }
}

TEST_CASE("A long answer is cut between characters") {
  const ScratchFolder folder("report-cut");
  EvalResult eval = made_up_eval("start", 5, 2);
  std::string answer;
  for (int i = 0; i < 100; ++i) answer += "\xe6\x97\xa5";
  for (EvalLength& length : eval.lengths) {
    for (EvalRow& row : length.rows) row.answer = answer;
  }
  write_eval(folder / "start.json", eval);
  std::ostringstream out, log;
  run_report({.evals = {{"start", folder / "start.json"}}, .out = folder / "report.html"},
             {.out = out, .log = log});
  const std::string html = read_text_file(folder / "report.html");
  CHECK(html.find(answer.substr(0, 54 * 3) + "...") != std::string::npos);
  CHECK_FALSE(io::find_invalid_utf8(html).has_value());
}

TEST_CASE("The report stands alone: nothing is loaded from elsewhere") {
  const ScratchFolder folder("report-alone");
  const std::string html = make_report(folder, 5).html;
  for (const char* word : {" src=", "@import", "url(", "<link", "<iframe"}) {
    CAPTURE(word);
    CHECK(html.find(word) == std::string::npos);
  }
}

TEST_CASE("The report shows the table, the training, the differences and the samples") {
  const ScratchFolder folder("report-content");
  const std::string html = make_report(folder, 5).html;
  for (const char* text : {"65.0",
                           "43.3\xe2\x80\x93"
                           "81.9",
                           "10 s", "286 MiB", "Accuracy, minus start", "+25.0", "Short-to-long gap",
                           "Both sides of the gap", "a &lt;fast&gt; one"}) {
    CAPTURE(text);
    CHECK(html.find(text) != std::string::npos);
  }
}

TEST_CASE("Every chart of the report has a title and a description") {
  const ScratchFolder folder("report-titles");
  const std::string html = make_report(folder, 80).html;
  std::size_t charts = 0;
  for (std::size_t at = html.find("role=\"img\""); at != std::string::npos;
       at = html.find("role=\"img\"", at + 1)) {
    const std::size_t end = html.find('>', at);
    CHECK(html.substr(end + 1, 7) == "<title>");
    ++charts;
  }
  CHECK(charts >= 10);
}

TEST_CASE("All training lines go into one file with their run's name") {
  const ScratchFolder folder("report-metrics");
  make_report(folder, 5);
  io::JsonlReader reader(folder / "all.jsonl");
  int lines = 0;
  while (const auto record = reader.next()) {
    CHECK(record->value["run"] == "SoLo <PO>");
    ++lines;
  }
  CHECK(lines == 6);
}

TEST_CASE("A step that was logged again after a resume counts once, as it was last") {
  const ScratchFolder folder("report-resume");
  io::JsonlWriter out(folder / "m.jsonl");
  for (const int step : {1, 2, 3, 2, 3, 4}) out.write({{"step", step}, {"loss", out.records()}});
  out.commit();
  const auto curve = read_training_log("r", folder / "m.jsonl").curve("loss");
  REQUIRE(curve.size() == 4);
  CHECK(curve[1] == std::pair<double, double>{2, 3});
  CHECK(curve[2] == std::pair<double, double>{3, 4});
}

TEST_CASE("A running mean keeps a straight line straight, ends included") {
  std::vector<std::pair<double, double>> line;
  for (int i = 0; i < 50; ++i) line.emplace_back(i, 3.0 * i - 7);
  const auto smoothed = smooth(line, 11);
  for (std::size_t i = 0; i < line.size(); ++i) CHECK(smoothed[i].second == Approx(line[i].second));
}

TEST_CASE("Wrong use of report is told all at once") {
  const ScratchFolder folder("report-usage");
  std::ostringstream out, log;
  try {
    run_report(
        {.trains = {{"a", "x"}, {"a", "y"}}, .against = {"nobody"}, .out = folder / "r.html", .samples = -1},
        {.out = out, .log = log});
    FAIL("it was accepted");
  } catch (const UsageError& error) {
    const std::string text = error.what();
    CHECK(text.find("--eval") != std::string::npos);
    CHECK(text.find("'a' is given twice") != std::string::npos);
    CHECK(text.find("nobody") != std::string::npos);
    CHECK(text.find("--samples") != std::string::npos);
  }
  CHECK_THROWS_AS(parse_named_file("no-equals"), UsageError);
  CHECK_THROWS_AS(parse_named_file("=file"), UsageError);
  CHECK(parse_named_file("a=b=c").file == "b=c");
}
