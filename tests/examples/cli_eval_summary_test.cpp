#include "eval_summary.hpp"

#include <sstream>
#include <string>

#include "catch.hpp"
#include "cli_eval_fixture.hpp"
#include "solopo/core/error.hpp"

using namespace solopo;
using namespace solopo::cli;

namespace {

std::string refusal(const EvalResult& a, const EvalResult& b) {
  try {
    compare(a, "a.json", b, "b.json");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("An evaluation survives writing and reading") {
  const ScratchFolder folder("eval-result");
  const EvalResult a = made_up_eval("m", 20, 8);
  write_eval(folder / "a.json", a);
  const EvalResult b = read_eval(folder / "a.json");
  CHECK(b.model == a.model);
  CHECK(b.settings == a.settings);
  REQUIRE(b.questions.size() == a.questions.size());
  CHECK(b.questions[3].answers == a.questions[3].answers);
  REQUIRE(b.lengths.size() == 3);
  for (std::size_t l = 0; l < 3; ++l) {
    CHECK(b.lengths[l].contexts_sha256 == a.lengths[l].contexts_sha256);
    for (std::size_t i = 0; i < 20; ++i) {
      const EvalRow &x = a.lengths[l].rows[i], &y = b.lengths[l].rows[i];
      CHECK(x.id == y.id);
      CHECK(x.tokens == y.tokens);
      CHECK(x.depth == y.depth);
      CHECK(x.correct == y.correct);
      CHECK(x.gold_logp_per_token == y.gold_logp_per_token);
      CHECK(x.answer == y.answer);
    }
  }
}

TEST_CASE("An evaluation with a member missing or wrong is refused by its name") {
  const ScratchFolder folder("eval-bad");
  const auto field_of = [&](auto change) -> std::string {
    io::Json json = to_json(made_up_eval("m", 3, 1));
    change(json);
    io::write_file(folder / "bad.json", io::dump_json(json));
    try {
      read_eval(folder / "bad.json");
    } catch (const DataError& error) {
      return error.where().field;
    }
    return "nothing was refused";
  };
  CHECK(field_of([](io::Json& j) { j["kind"] = "something else"; }) == "kind");
  CHECK(field_of([](io::Json& j) { j.erase("model"); }) == "model");
  CHECK(field_of([](io::Json& j) { j["lengths"][1]["rows"][0]["correct"] = 1; }) == "rows/correct");
  CHECK(field_of([](io::Json& j) { j["lengths"][1]["rows"][0]["depth"] = 2; }) == "depth");
  CHECK(field_of([](io::Json& j) { j["lengths"][1]["rows"][0]["gold_logp_per_token"] = nullptr; }) ==
        "rows/gold_logp_per_token");
  CHECK(field_of([](io::Json& j) { j["lengths"][0]["rows"] = io::Json::array(); }) == "lengths/rows");
  CHECK(field_of([](io::Json& j) { j["questions"][0]["answers"] = "Ada"; }) == "questions/answers");
}

TEST_CASE("A summary counts by length and by depth") {
  const EvalResult eval = made_up_eval("m", 20, 8);
  const auto summary = summarise(eval);
  REQUIRE(summary.size() == 3);
  CHECK(summary[0].depths.empty());
  CHECK(summary[1].all.questions == 20);
  CHECK(summary[1].all.correct == 8);
  CHECK(summary[1].all.accuracy.value == Approx(0.4));
  REQUIRE(summary[1].depths.size() == 5);  // 0, .25, .5, .75, 1 fall into five ranges
  for (const DepthCell& d : summary[1].depths) CHECK(d.cell.questions == 4);
  std::int64_t correct = 0;
  for (const DepthCell& d : summary[1].depths) correct += d.cell.correct;
  CHECK(correct == 8);
}

TEST_CASE("A context counts for the listed depth that is nearest to its own") {
  EvalResult eval = made_up_eval("m", 20, 8);
  eval.settings["depths"] = {0.0, 1.0};
  const auto summary = summarise(eval);
  REQUIRE(summary[1].depths.size() == 2);
  CHECK(summary[1].depths[0].from == summary[1].depths[0].to);
  CHECK(summary[1].depths[0].cell.questions + summary[1].depths[1].cell.questions == 20);
  CHECK(summary[1].depths[1].cell.questions == 8);  // .75 and 1
}

TEST_CASE("Differences are second minus first, question by question") {
  const auto d = compare(made_up_eval("a", 20, 8), "a", made_up_eval("b", 20, 13), "b");
  REQUIRE(d.size() == 3);
  CHECK(d[1].all.questions == 20);
  CHECK(d[1].all.only_second == 5);
  CHECK(d[1].all.only_first == 0);
  CHECK(d[1].all.accuracy.value == Approx(0.25));
  CHECK(d[1].all.accuracy.low > 0);
  CHECK(d[1].all.gold_logp_per_token.value == Approx(1.5 * 5 / 20));
}

TEST_CASE("An evaluation compared with itself differs by exactly nothing") {
  const EvalResult a = made_up_eval("a", 20, 8);
  for (const PairedLength& l : compare(a, "a", a, "a")) {
    CHECK(l.all.accuracy.low == 0);
    CHECK(l.all.accuracy.high == 0);
    CHECK(l.all.gold_logp_per_token.low == 0);
    CHECK(l.all.gold_logp_per_token.high == 0);
  }
}

TEST_CASE("Evaluations of other questions are not compared, and the first difference is named") {
  const EvalResult a = made_up_eval("a", 20, 8);
  EvalResult swapped = a, missing = a, extra = a, contexts = a, lengths = a;
  std::swap(swapped.lengths[1].rows[4], swapped.lengths[1].rows[5]);
  CHECK(refusal(a, swapped).find("question 5 is 'q5', but 'q4' in a.json") != std::string::npos);
  missing.lengths[2].rows.pop_back();
  CHECK(refusal(a, missing).find("it lacks question 'q19', which a.json has") != std::string::npos);
  extra.lengths[2].rows.push_back(extra.lengths[2].rows[0]);
  extra.lengths[2].rows.back().id = "q20";
  CHECK(refusal(a, extra).find("it has question 'q20', which a.json lacks") != std::string::npos);
  contexts.lengths[0].contexts_sha256 = "other";
  CHECK(refusal(a, contexts).find("its contexts are not those of a.json") != std::string::npos);
  for (EvalLength& l : lengths.lengths) l.length += 1;
  CHECK(refusal(a, lengths).find("no length in common") != std::string::npos);
}

TEST_CASE("Tables show every length and the intervals") {
  std::ostringstream out;
  print_summary(made_up_eval("m", 20, 8), out);
  CHECK(out.str().find("evidence") != std::string::npos);
  CHECK(out.str().find("1K") != std::string::npos);
  CHECK(out.str().find("40.0 [21.9, 61.3]") != std::string::npos);
}

TEST_CASE("Lengths are labelled as people say them") {
  CHECK(length_label(0) == "evidence");
  CHECK(length_label(512) == "512");
  CHECK(length_label(1024) == "1K");
  CHECK(length_label(1500) == "1500");
}
