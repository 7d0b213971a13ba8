#include "solopo/train/read_records.hpp"

#include <fstream>

#include "byte_encoder.hpp"
#include "catch.hpp"
#include "tiny_run.hpp"

using namespace solopo;
using namespace solopo::test;

namespace {

constexpr Needs pair = Needs::chosen | Needs::rejected;
constexpr Needs solo = pair | Needs::chosen_long;

RecordFile read(const std::string& lines, const RecordOptions& options) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "g.jsonl") << lines;
  return read_records(folder.path() / "g.jsonl", byte_encoder(), options);
}

// The error's code and field for a file.
std::string refusal(const std::string& lines, const RecordOptions& options) {
  try {
    static_cast<void>(read(lines, options));
  } catch (const DataError& error) {
    return error.code() + ":" + std::to_string(error.where().line) + ":" + error.where().field;
  }
  return "read";
}

std::vector<std::int32_t> bytes(const std::string& text, bool turn = false) {
  std::vector<std::int32_t> ids(text.begin(), text.end());
  if (turn) ids.push_back(256);
  return ids;
}

const std::string ours =
    R"({"id":"q1","prompt_short":[{"role":"user","content":"S"}],"prompt_long":[{"role":"user","content":"LL"}],)"
    R"("chosen":"good","rejected":"evil","sampled_from":"short","gold_chosen":true,"question":"S","answers":["x"]})";
const std::string trl = R"({"prompt":"P","chosen":"good","rejected":"evil"})";

}  // namespace

TEST_CASE("Our records: prompts through the template, responses apart and ended, only what is read") {
  const RecordFile f = read(ours + "\n", {.needs = solo});
  REQUIRE(f.records.size() == 1);
  CHECK(f.records[0].id == "q1");
  CHECK(f.records[0].prompt == bytes("<user>S<assistant>"));
  CHECK(f.records[0].prompt_long == bytes("<user>LL<assistant>"));
  CHECK(f.records[0].chosen == bytes("good", true));
  CHECK(f.records[0].rejected == bytes("evil", true));
  CHECK(f.records[0].sampled_from == SampledFrom::short_prompt);
  CHECK(f.counts.gold_chosen == 1);
  CHECK(read(ours, {.needs = pair}).records[0].prompt_long.empty());
  CHECK(read(ours, {.needs = pair, .read_extra = true}).records[0].prompt_long.size() == 19);
  CHECK(read(ours, {.needs = pair, .context = TrainContext::expand}).records[0].prompt.empty());
  CHECK(read(ours, {.needs = Needs::chosen}).records[0].rejected.empty());
}

TEST_CASE("TRL's records: strings as they are, message lists through the template") {
  const RecordFile f =
      read(trl + "\n" +
               R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u"}],)"
               R"("chosen":[{"role":"assistant","content":"good"}],"rejected":"evil"})",
           {.needs = pair});
  REQUIRE(f.records.size() == 2);
  CHECK(f.records[0].id == "line 1");
  CHECK(f.records[0].prompt == bytes("P"));
  CHECK(f.records[1].prompt == bytes("<system>s<user>u<assistant>"));
  CHECK(f.records[1].chosen == bytes("good", true));
}

TEST_CASE("A response that was cut in sampling has no end-of-turn token") {
  const auto line = [](const std::string& marks) {
    return R"({"prompt":"P","chosen":"good","rejected":"evil")" + marks + "}\n";
  };
  const std::string file =
      line("") + line(R"(,"chosen_finished":false)") + line(R"(,"rejected_finished":false)");
  const RecordFile f = read(file, {.needs = pair});
  REQUIRE(f.records.size() == 3);
  CHECK(f.records[0].chosen == bytes("good", true));
  CHECK(f.records[0].rejected == bytes("evil", true));
  CHECK(f.records[1].chosen == bytes("good", false));
  CHECK(f.records[1].rejected == bytes("evil", true));
  CHECK(f.records[2].chosen == bytes("good", true));
  CHECK(f.records[2].rejected == bytes("evil", false));
  CHECK(f.counts.unfinished == 2);
  CHECK(read(file, {.needs = Needs::chosen}).counts.unfinished == 1);
}

TEST_CASE("A record without a long prompt is refused by name where the objective reads one") {
  CHECK(refusal(trl, {.needs = solo}) == "context:1:prompt_long");
  CHECK(refusal(trl, {.needs = pair, .context = TrainContext::long_prompt}) == "context:1:prompt_long");
  CHECK(refusal(trl, {.needs = pair}) == "read");
  // max_bad does not pass it over: the file is sound, the objective does not fit it.
  CHECK(refusal(trl, {.needs = solo, .max_bad = 9}) == "context:1:prompt_long");
}

TEST_CASE(
    "Pairs sampled from the short prompt are not trained as long ones, that is expand, and the reverse") {
  CHECK(refusal(ours, {.needs = pair, .context = TrainContext::long_prompt}) == "context:1:sampled_from");
  CHECK_THROWS_WITH(read(ours, {.needs = pair, .context = TrainContext::long_prompt}),
                    Catch::Contains("--context expand"));
  CHECK(refusal(ours, {.needs = pair, .context = TrainContext::expand}) == "read");
  std::string from_long = ours;
  from_long.replace(from_long.find("\"short\",\"gold"), 7, "\"long\"");
  CHECK(refusal(from_long, {.needs = pair, .context = TrainContext::long_prompt}) == "read");
  CHECK(refusal(from_long, {.needs = pair, .context = TrainContext::expand}) == "context:1:sampled_from");
}

TEST_CASE("Bad fields are refused with line and field, or counted within max_bad") {
  const auto bad = [](const std::string& line) { return refusal(trl + "\n" + line + "\n", {.needs = pair}); };
  CHECK(bad(R"({"prompt":"P","rejected":"b"})") == "record:2:chosen");
  CHECK(bad(R"({"chosen":"a","rejected":"b"})") == "record:2:prompt");
  CHECK(bad(R"({"prompt":"","chosen":"a","rejected":"b"})") == "record:2:prompt");
  CHECK(bad(R"({"prompt":[],"chosen":"a","rejected":"b"})") == "record:2:prompt");
  CHECK(bad(R"({"prompt":7,"chosen":"a","rejected":"b"})") == "record:2:prompt");
  CHECK(bad(R"({"prompt":"P","prompt_short":"P","chosen":"a","rejected":"b"})") == "record:2:prompt");
  CHECK(bad(R"({"prompt":"P","chosen":" \n","rejected":"b"})") == "record:2:chosen");
  CHECK(bad(R"({"prompt":"P","chosen":"a","rejected":""})") == "record:2:rejected");
  CHECK(bad(R"({"prompt":"P","chosen":"a","rejected":[]})") == "record:2:rejected");
  CHECK(bad(R"({"prompt":"P","chosen":[{"role":"user","content":"a"}],"rejected":"b"})") ==
        "record:2:chosen");
  CHECK(bad(R"({"prompt":[{"role":"tool","content":"a"}],"chosen":"a","rejected":"b"})") ==
        "record:2:prompt");
  CHECK(bad(R"({"prompt":[{"role":"assistant","content":"a"}],"chosen":"a","rejected":"b"})") ==
        "record:2:prompt");
  CHECK(bad(R"({"prompt":[{"content":"a"}],"chosen":"a","rejected":"b"})") == "record:2:prompt");
  CHECK(bad(R"({"id":1.5,"prompt":"P","chosen":"a","rejected":"b"})") == "record:2:id");
  CHECK(bad(R"({"prompt":"P","chosen":"a","rejected":"b","sampled_from":"mid"})") == "record:2:sampled_from");
  CHECK(bad(R"({"prompt":"P","chosen":"a","rejected":"b","gold_chosen":1})") == "record:2:gold_chosen");
  CHECK(bad(R"({"prompt":"P","chosen":"a","rejected":"b","chosen_finished":0})") ==
        "record:2:chosen_finished");
  CHECK(bad(R"({"prompt":"P","chosen":"a","rejected":"b","rejected_finished":"no"})") ==
        "record:2:rejected_finished");
  CHECK(bad(R"({"prompt":"P","chosen":"a"})") == "context:2:rejected");
  CHECK(bad("{\"prompt\":\"P\"") == "json:2:");
  const RecordFile f = read(trl + "\n{\"prompt\":3}\nnonsense\n", {.needs = pair, .max_bad = 2});
  CHECK(f.counts.bad == 2);
  CHECK(f.counts.kept == 1);
  CHECK(f.notes.size() == 2);
}

TEST_CASE(
    "Equal responses are dropped and counted, as text or as ids, unless they are to be kept or not "
    "compared") {
  const std::string equal = R"({"prompt":"P","chosen":"same","rejected":"same"})";
  const RecordFile f = read(trl + "\n" + equal, {.needs = pair});
  CHECK(f.counts.equal == 1);
  CHECK(f.records.size() == 1);
  CHECK(f.notes[0].find(":2: chosen equals rejected") != std::string::npos);
  CHECK(read(trl + "\n" + equal, {.needs = pair, .keep_equal = true}).records.size() == 2);
  CHECK(read(equal, {.needs = Needs::chosen}).records.size() == 1);
  CHECK(refusal(equal, {.needs = pair}) == "no_records:0:");
}

TEST_CASE("A record that is too long is refused, dropped or cut by rule, and counted") {
  const std::string line =
      R"({"prompt":"Do.\n\none two three four five six\n\nQuestion: q?","question":"q?","chosen":"good","rejected":"evil"})";
  const std::string input = trl + "\n" + line;
  CHECK(refusal(input, {.needs = pair, .max_length = 40}) == "too_long:2:prompt");
  const RecordFile dropped = read(input, {.needs = pair, .max_length = 40, .too_long = TooLong::drop});
  CHECK(dropped.counts.too_long == 1);
  CHECK(dropped.records.size() == 1);
  const RecordFile cut = read(input, {.needs = pair, .max_length = 40, .too_long = TooLong::middle});
  CHECK(cut.counts.cut == 1);
  REQUIRE(cut.records.size() == 2);
  CHECK(cut.records[1].prompt.size() + 5 <= 40);
  const std::string text(cut.records[1].prompt.begin(), cut.records[1].prompt.end());
  CHECK(text.starts_with("Do.\n\n"));
  CHECK(text.ends_with("Question: q?"));
  CHECK(cut.records[1].chosen == bytes("good", true));
  // The response itself leaves no room: dropped and counted under both rules that drop.
  const RecordFile none = read(R"({"prompt":"P","chosen":"a","rejected":"b"})"
                               "\n" +
                                   line,
                               {.needs = pair, .max_length = 5, .too_long = TooLong::middle});
  CHECK(none.counts.no_room == 1);
  CHECK(none.records.size() == 1);
}

TEST_CASE("A merge across the edge of prompt and response is counted, and the ids stay apart") {
  const RecordFile f = read(R"({"prompt":"xa","chosen":"b","rejected":"c"})"
                            "\n" +
                                trl,
                            {.needs = pair});
  CHECK(f.counts.edge_merges == 1);
  CHECK(f.records[0].prompt == bytes("xa"));
  CHECK(f.records[0].chosen == bytes("b", true));
}

TEST_CASE("A file without records, or none left, is refused") {
  CHECK(refusal("", {.needs = pair}) == "empty:0:");
  CHECK(refusal("\n \n", {.needs = pair}) == "empty:0:");
  CHECK(refusal("[" + trl + "]", {.needs = pair}) == "json_array:1:");
}

TEST_CASE("A labelled record is one response; a pair is read as two where the objective reads labels") {
  constexpr Needs labelled = Needs::chosen | Needs::label;
  const std::string one = R"({"id":"a","prompt":"P","completion":"good","label":false})"
                          "\n";
  RecordFile f = read(one + trl, {.needs = labelled});
  REQUIRE(f.records.size() == 3);
  CHECK(f.records[0].label == 0);
  CHECK(f.records[0].chosen == bytes("good", true));
  CHECK(f.records[1].label == 1);
  CHECK(f.records[1].id == "line 2 chosen");
  CHECK(f.records[1].chosen == bytes("good", true));
  CHECK(f.records[2].label == 0);
  CHECK(f.records[2].id == "line 2 rejected");
  CHECK(f.records[2].chosen == bytes("evil", true));
  CHECK(f.records[2].rejected.empty());
  CHECK(f.counts.split == 1);
  CHECK(f.counts.lines == 2);
  const std::string equal = R"({"prompt":"P","chosen":"same","rejected":"same"})"
                            "\n";
  CHECK(read(equal + trl, {.needs = labelled}).counts.equal == 1);
  const std::string cut =
      R"({"prompt":"P","chosen":"good","rejected":"evil","rejected_finished":false,"gold_chosen":true})";
  f = read(cut, {.needs = labelled});
  CHECK(f.records[1].chosen == bytes("evil"));
  CHECK(f.records[0].gold_chosen);
  CHECK_FALSE(f.records[1].gold_chosen);

  CHECK(refusal(one, {.needs = pair}) == "context:1:label");
  CHECK(refusal(one, {.needs = Needs::chosen}) == "context:1:label");
  CHECK(refusal(R"({"prompt":"P","chosen":"good"})", {.needs = labelled}) == "context:1:label");
  CHECK(refusal(R"({"prompt":"P","completion":"good"})", {.needs = labelled}) == "record:1:label");
  CHECK(refusal(R"({"prompt":"P","completion":"good","label":"yes"})", {.needs = labelled}) ==
        "record:1:label");
  CHECK(refusal(R"({"prompt":"P","completion":"g","chosen":"g","label":true})", {.needs = labelled}) ==
        "record:1:completion");
}

TEST_CASE("Scores are read where the objective reads them, and must be in order") {
  constexpr Needs scored = pair | Needs::scores;
  const auto line = [](const std::string& fields) {
    return R"({"prompt":"P","chosen":"good","rejected":"evil")" + fields + "}";
  };
  const RecordFile f = read(line(R"(,"score_chosen":7.5,"score_rejected":-1)"), {.needs = scored});
  CHECK(f.records[0].score_chosen == 7.5f);
  CHECK(f.records[0].score_rejected == -1);
  CHECK(refusal(line(""), {.needs = scored}) == "context:1:score_chosen");
  CHECK(refusal(line(R"(,"score_chosen":1)"), {.needs = scored}) == "context:1:score_rejected");
  CHECK(refusal(line(R"(,"score_chosen":1,"score_rejected":1)"), {.needs = scored}) ==
        "context:1:score_chosen");
  CHECK(refusal(line(R"(,"score_chosen":"1","score_rejected":0)"), {.needs = scored}) ==
        "record:1:score_chosen");
  CHECK(refusal(line(R"(,"score_chosen":"anything")"), {.needs = pair}) == "read");
}

TEST_CASE("A third response is a field of the record, or another record's answer") {
  constexpr Needs three = pair | Needs::third;
  const RecordOptions reference{.needs = three, .third = ThirdResponse::reference};
  const RecordOptions second{.needs = three, .third = ThirdResponse::second_rejected};
  const std::string both =
      R"({"prompt":"P","chosen":"good","rejected":"evil","reference":"best","rejected_2":"worst"})";
  CHECK(read(both, reference).records[0].third == bytes("best", true));
  CHECK(read(both, second).records[0].third == bytes("worst", true));
  CHECK(read(both, {.needs = pair}).records[0].third.empty());
  CHECK(refusal(trl, reference) == "context:1:reference");
  CHECK(refusal(trl, second) == "context:1:rejected_2");

  // The next record with another prompt whose answer fits; the first follows the last.
  const RecordOptions unmatched{.needs = Needs::chosen | Needs::third | Needs::label,
                                .third = ThirdResponse::unmatched,
                                .max_length = 8};
  const auto line = [](const std::string& prompt, const std::string& answer) {
    return R"({"prompt":")" + prompt + R"(","completion":")" + answer +
           R"(","label":true})"
           "\n";
  };
  const RecordFile f =
      read(line("P", "a") + line("P", "b") + line("PPPP", "ccc") + line("Q", "dddddd"), unmatched);
  REQUIRE(f.records.size() == 4);
  CHECK(f.records[0].third == bytes("ccc", true));
  CHECK(f.records[1].third == bytes("ccc", true));
  CHECK(f.records[2].third == bytes("a", true));  // dddddd and its end would make 11
  CHECK(f.records[3].third == bytes("a", true));
  CHECK(refusal(line("P", "a") + line("P", "b"), unmatched) == "unmatched:0:");
}
