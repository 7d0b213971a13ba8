// An evaluation that is stopped and goes on.
#include <atomic>
#include <fstream>
#include <sstream>
#include <streambuf>
#include <string>
#include <tuple>

#include "catch.hpp"
#include "cli_eval_fixture.hpp"
#include "cli_run.hpp"
#include "eval.hpp"
#include "solopo/core/error.hpp"
#include "solopo/io/file_lock.hpp"
#include "solopo/io/jsonl.hpp"
#include "usage_error.hpp"

using namespace solopo;
using namespace solopo::cli;

namespace {

namespace fs = std::filesystem;

// What is logged. Where `stops`, asks to stop when a line of progress is shown: after one group of questions.
class StoppingLog : public std::streambuf {
 public:
  explicit StoppingLog(bool stops) : stops_(stops) {}
  std::atomic<int> signal{0};
  std::string text;

 protected:
  int overflow(int c) override {
    text.push_back(static_cast<char>(c));
    if (c == '\r' && stops_) signal = 2;
    return c;
  }

 private:
  bool stops_;
};

struct Ran {
  int code;
  std::string log;
};

Ran evaluate(const EvalOptions& options, bool stops = false) {
  StoppingLog buffer(stops);
  std::ostream log(&buffer);
  std::ostringstream out;
  const int code =
      run_eval(options, {.out = out, .log = log, .terminal = true, .stop_signal = &buffer.signal});
  return {code, buffer.text};
}

EvalOptions options_in(const ScratchFolder& folder) {
  const std::string qa = (folder / "qa.jsonl").string();
  REQUIRE(solopo_run("data synth --count 60 --documents 8 --seed 3 --purpose test --out " + qa).code == 0);
  EvalOptions options;
  options.model = fs::path(SOLOPO_SOURCE_DIR) / "examples/data/tiny";
  options.qa = qa;
  options.lengths = {64, 128};
  options.questions = {20};
  options.max_new_tokens = 3;
  options.pooled = false;
  options.where.dtype = "f32";  // how many questions are asked together depends on it
  options.seed = 3;
  options.prompt = {.instruction = "",
                    .passage = "{text}",
                    .separator = "\n",
                    .question = "{question}",
                    .block = "\n\n",
                    .answer = " {answer}"};
  options.out = folder / "e.json";
  return options;
}

}  // namespace

TEST_CASE("A stopped evaluation goes on where it was and ends with the same answers") {
  const ScratchFolder folder("eval-resume");
  EvalOptions options = options_in(folder);
  options.out = folder / "whole.json";
  REQUIRE(evaluate(options).code == 0);
  CHECK_FALSE(fs::exists(folder / "whole.json.partial"));
  const EvalResult whole = read_eval(folder / "whole.json");

  options.out = folder / "e.json";
  const fs::path partial = folder / "e.json.partial";
  for (int time = 0; time < 2; ++time) {  // after 8 answers, and after 16
    const Ran stopped = evaluate(options, true);
    CAPTURE(stopped.log);
    CHECK(stopped.code == 130);
    CHECK(stopped.log.find("stopped; the same command goes on from " + partial.string()) !=
          std::string::npos);
    CHECK_FALSE(fs::exists(options.out));
    REQUIRE(fs::exists(partial));
    std::ofstream(partial, std::ios::app) << "{\"length\": 64, \"sec";  // killed while writing
  }
  // As if it had been stopped in the second length.
  {
    io::JsonlAppender lines(partial);
    for (const auto& [l, from, to] : {std::tuple{0, 16, 20}, {1, 0, 8}}) {
      const EvalLength& length = whole.lengths[static_cast<std::size_t>(l)];
      lines.write(to_json(EvalPiece{.length = length.length,
                                    .seconds = 1,
                                    .rows = {length.rows.begin() + from, length.rows.begin() + to}}));
    }
  }
  const Ran rest = evaluate(options);
  CAPTURE(rest.log);
  CHECK(rest.code == 0);
  CHECK(rest.log.find("going on after 28 answers") != std::string::npos);
  CHECK_FALSE(fs::exists(partial));
  const io::Json expected = to_json(whole)["lengths"], parts = to_json(read_eval(options.out))["lengths"];
  REQUIRE(parts.size() == expected.size());
  for (std::size_t l = 0; l < expected.size(); ++l) {
    CHECK(parts[l]["rows"] == expected[l]["rows"]);
    CHECK(parts[l]["contexts_sha256"] == expected[l]["contexts_sha256"]);
    CHECK(parts[l]["seconds"].get<double>() > 1);
  }
}

TEST_CASE("The unfinished evaluation of another model or other options is refused, and so is what is none") {
  const ScratchFolder folder("eval-others");
  const EvalOptions options = options_in(folder);
  REQUIRE(evaluate(options, true).code == 130);
  EvalOptions other = options;
  other.max_new_tokens = 4;
  CHECK_THROWS_WITH(evaluate(other), Catch::Contains("is the unfinished work of a run with other options"));
  other = options;
  other.model = folder / "copy";
  fs::copy(options.model, other.model);
  std::ofstream(other.model / "generation_config.json") << "{}";
  CHECK_THROWS_AS(evaluate(other), UsageError);

  const fs::path partial = folder / "e.json.partial";
  std::ifstream in(partial);
  std::string header, piece;
  std::getline(in, header);
  std::getline(in, piece);
  const auto refusal = [&](const std::string& line) -> std::string {
    std::ofstream(partial) << header << "\n" << line << "\n";
    try {
      evaluate(options);
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(refusal(piece + "\n" + piece), Catch::Contains("does not come next"));
  io::Json changed = io::Json::parse(piece);
  changed["length"] = 77;
  for (io::Json& row : changed["rows"]) row["length"] = 77;
  CHECK_THAT(refusal(changed.dump()), Catch::Contains("was not asked for"));
  changed = io::Json::parse(piece);
  changed["rows"][0].erase("correct");
  CHECK_THAT(refusal(changed.dump()), Catch::Contains("rows/correct"));
  CHECK(refusal(piece) == "");
}

TEST_CASE("An evaluation is refused while another process writes the same one") {
  const ScratchFolder folder("eval-twice");
  const EvalOptions options = options_in(folder);
  const std::string partial = options.out.string() + ".partial";
  {
    const io::FileLock other(partial, "");
    CHECK_THROWS_WITH(evaluate(options), Catch::Contains("another process is writing " + partial));
  }
  CHECK(evaluate(options).code == 0);
}

TEST_CASE("Paths and a command line that are not UTF-8 are written with U+FFFD") {
  const ScratchFolder folder("eval-bytes");
  EvalOptions options = options_in(folder);
  options.lengths = {64};
  options.questions = {2};
  options.command = "solopo eval \xff";
  fs::copy(options.model, folder / "model\xff");
  options.model = folder / "model\xff";
  fs::rename(options.qa, folder / "qa\xff");
  options.qa = folder / "qa\xff";
  REQUIRE(evaluate(options).code == 0);
  const EvalResult result = read_eval(options.out);
  CHECK(result.model == (folder / "model\xef\xbf\xbd").string());
  CHECK(result.command == "solopo eval \xef\xbf\xbd");
  CHECK(result.settings.at("qa") == (folder / "qa\xef\xbf\xbd").string());
}
