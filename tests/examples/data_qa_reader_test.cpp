#include "qa_reader.hpp"

#include <sstream>

#include "catch.hpp"
#include "data_fixture.hpp"
#include "question_split.hpp"
#include "usage_error.hpp"

using namespace data_fixture;

namespace {

std::string code_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const DataError& error) {
    return error.code();
  }
  return "none";
}

// The one bad record of a file whose second line is `line`, between two good ones.
BadRecord bad_between_good(const std::string& line) {
  const QaFile file = parse(musique_record(0).dump() + "\n" + line + "\n" + musique_record(1).dump() + "\n");
  CHECK(file.questions.size() == 2);
  REQUIRE(file.report.bad == 1);
  CHECK(file.report.first_bad[0].where.line == 2);
  CHECK(file.report.first_bad[0].where.file == "test file");
  return file.report.first_bad[0];
}

Json without(const std::string& member) {
  Json record = musique_record(5);
  record.erase(member);
  return record;
}

template <class Change>
Json changed(Change change) {
  Json record = musique_record(5);
  change(record);
  return record;
}

// The reason for which a record is dropped, or "kept".
std::string dropped_reason(const Json& record, QaFormat format = QaFormat::musique) {
  const QaFile file = parse(record.dump(), format);
  CHECK(file.report.bad == 0);
  return file.report.dropped.empty() ? "kept" : file.report.dropped.begin()->first;
}

}  // namespace

TEST_CASE("MuSiQue records become questions with answer, aliases and marked evidence") {
  const QaFile file = parse(musique_file(2));
  REQUIRE(file.questions.size() == 2);
  const Question& q = file.questions[1];
  CHECK(q.id == "q1");
  CHECK(q.question == "Who built bridge 1?");
  CHECK(q.answers == std::vector<std::string>{"Mason Alpha1", "M. Alpha1"});
  REQUIRE(q.paragraphs.size() == 6);
  CHECK(q.paragraphs[3].supporting);
  CHECK_FALSE(q.paragraphs[4].supporting);
  CHECK(q.paragraphs[1].title == "Bridge 1");
  CHECK(file.report.records == 2);
  CHECK(file.report.kept == 2);
  CHECK(file.report.sha256.size() == 64);
}

TEST_CASE("HotpotQA sentences are joined, and titles name the evidence") {
  const Json record = Json::parse(R"({"_id": "h", "question": "Q?", "answer": "Ada",
    "supporting_facts": [["T2", 0], ["T2", 1]],
    "context": [["T1", ["One.", " Two."]], ["T2", ["It was Ada.", "Indeed."]]]})");
  for (const std::string& text : {record.dump(), "[" + record.dump() + "]"}) {
    const QaFile file = parse(text, QaFormat::hotpotqa);
    REQUIRE(file.questions.size() == 1);
    CHECK(file.questions[0].paragraphs[0].text == "One. Two.");
    CHECK(file.questions[0].paragraphs[1].text == "It was Ada. Indeed.");
    CHECK_FALSE(file.questions[0].paragraphs[0].supporting);
    CHECK(file.questions[0].paragraphs[1].supporting);
  }
  Json missing = record;
  missing["supporting_facts"][0][0] = "T9";
  CHECK(dropped_reason(missing, QaFormat::hotpotqa) == "supporting paragraph missing");
}

TEST_CASE(
    "SQuAD questions carry their article and paragraph, whether on one line, indented or as lines of "
    "articles") {
  const Json squad = squad_file(2, 3);
  std::string articles;
  for (const Json& article : squad["data"]) articles += article.dump() + "\n";
  for (const std::string& text : {squad.dump(), squad.dump(2), articles}) {
    const QaFile file = parse(text, QaFormat::squad);
    REQUIRE(file.questions.size() == 6);
    CHECK(file.questions[3].group == "Article_1");
    CHECK(file.questions[3].paragraphs.size() == 1);
    CHECK(file.questions[3].paragraphs[0].title == "Article 1");
    CHECK(file.questions[3].answers == std::vector<std::string>{"number1x0"});
    CHECK(file.report.dropped.at("unanswerable") == 6);
    CHECK(file.report.bad == 0);
  }
}

TEST_CASE("A cut last line is bad, an empty file is refused, other line ends and marks are fine") {  // DP1
  const std::string good = musique_file(2);
  const QaFile cut = parse(good + musique_record(2).dump().substr(0, 90));
  CHECK(cut.questions.size() == 2);
  REQUIRE(cut.report.bad == 1);
  CHECK(cut.report.first_bad[0].where.line == 3);
  CHECK(cut.report.first_bad[0].code == "json");
  CHECK(code_of([] { parse(""); }) == "empty");
  CHECK(code_of([] { parse("\n \r\n\t\n"); }) == "empty");
  CHECK(code_of([] { parse("\xef\xbb\xbf\n"); }) == "empty");
  CHECK(parse(good.substr(0, good.size() - 1)).questions.size() == 2);
  CHECK(parse("\xef\xbb\xbf" + good).questions.size() == 2);
  std::string crlf;
  for (const char c : good) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(parse(crlf).questions.size() == 2);
  CHECK(parse(crlf).report.bad == 0);
}

TEST_CASE("Wrong UTF-8, NUL and lone surrogates make a bad line, or are replaced on request") {  // DP2
  const std::string record = musique_record(5).dump();
  const auto with = [&](const std::string& bytes) {
    std::string text = record;
    return text.replace(text.find("valley"), 6, bytes);
  };
  for (const std::string wrong : {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    CHECK(bad_between_good(with(wrong)).code == "utf8");
    const QaFile replaced = parse(with(wrong), QaFormat::musique, {.bad_utf8 = io::BadUtf8::replace});
    CHECK(replaced.questions.size() == 1);
    CHECK(replaced.report.notes.at("wrong UTF-8 replaced") >= 1);
  }
  CHECK(bad_between_good(with("\\ud800")).code == "json");
  CHECK(bad_between_good(with("\\u0000")).code == "json");
  CHECK(bad_between_good(with(std::string(1, '\0'))).code == "json");
}

TEST_CASE(
    "Deep nesting, other types and endless lines make a bad line; an array of records is read") {  // DP3
  CHECK(bad_between_good(std::string(70, '[') + std::string(70, ']')).code == "json");
  CHECK(bad_between_good("[1]").code == "json");
  CHECK(bad_between_good("\"text\"").code == "json");
  CHECK(bad_between_good(std::string((64U << 20) + 1, 'x')).code == "too_large");

  const Json whole = {musique_record(0), musique_record(1)};
  CHECK(parse(whole.dump(2)).questions.size() == 2);
  const QaFile broken =
      parse("[" + musique_record(0).dump() + ",\n{\"id\": \"x\"},\n" + musique_record(1).dump() + "]");
  CHECK(broken.questions.size() == 2);
  REQUIRE(broken.report.bad == 1);
  CHECK(broken.report.first_bad[0].where.line == 2);
  CHECK(parse("[" + musique_record(0).dump() + ",").report.bad == 1);     // cut between elements
  CHECK(parse("[" + musique_record(0).dump() + ",{\"").report.bad == 1);  // cut inside one
  CHECK(parse("[" + musique_record(0).dump() + "] x").report.bad == 1);
}

TEST_CASE("Missing members and wrong types are bad with the member's name; others are ignored") {  // DP4
  for (const std::string member : {"id", "question", "answer", "paragraphs"}) {
    const BadRecord bad = bad_between_good(without(member).dump());
    CHECK(bad.where.field == member);
    CHECK(bad.code == "field");
  }
  const auto field = [](auto change) { return bad_between_good(changed(change).dump()).where.field; };
  CHECK(field([](Json& r) { r["id"] = 7; }) == "id");
  CHECK(field([](Json& r) { r["answer_aliases"] = "x"; }) == "answer_aliases");
  CHECK(field([](Json& r) { r["paragraphs"] = Json::array(); }) == "paragraphs");
  CHECK(field([](Json& r) { r["paragraphs"][2]["idx"] = 1; }) == "paragraphs[2].idx");
  CHECK(field([](Json& r) { r["paragraphs"][2]["paragraph_text"] = nullptr; }) ==
        "paragraphs[2].paragraph_text");
  CHECK(field([](Json& r) { r["paragraphs"][1] = 3; }) == "paragraphs[1].");
  const BadRecord no_evidence = bad_between_good(changed([](Json& r) {
                                                   for (Json& p : r["paragraphs"]) p["is_supporting"] = false;
                                                 }).dump());
  CHECK(no_evidence.code == "evidence");
  CHECK(dropped_reason(changed([](Json& r) { r["extra"] = {{"deep", {1, 2}}}; })) == "kept");
  CHECK(bad_between_good("{\"id\": \"a\", \"id\": \"b\"}").code == "duplicate");
}

TEST_CASE("A duplicate id is noted, but not for an unanswerable twin") {  // DP5
  const Json twin = changed([](Json& r) { r["answerable"] = false; });
  const QaFile twins = parse(musique_record(5).dump() + "\n" + twin.dump());
  CHECK(twins.questions.size() == 1);
  CHECK(twins.report.dropped.at("unanswerable") == 1);
  CHECK(twins.report.notes.empty());
  const QaFile same = parse(musique_record(5).dump() + "\n" + musique_record(5).dump());
  CHECK(same.questions.size() == 2);
  CHECK(same.report.notes.at("duplicate id") == 1);
}

TEST_CASE("Empty answers and answers that the evidence lacks are dropped; missing aliases are none") {  // DP6
  const auto reason = [](auto change) { return dropped_reason(changed(change)); };
  CHECK(reason([](Json& r) { r["answer"] = " \t", r["answer_aliases"] = {""}; }) == "empty answer");
  CHECK(reason([](Json& r) { r["answer"] = "The", r["answer_aliases"] = Json::array(); }) ==
        "answer without a word");
  CHECK(reason([](Json& r) { r["answer"] = "Nobody", r["answer_aliases"] = Json::array(); }) ==
        "answer not in the evidence");
  CHECK(reason([](Json& r) { r["answer"] = "yes"; }) == "yes/no answer");
  CHECK(reason([](Json& r) { r["answerable"] = false; }) == "unanswerable");
  CHECK(reason([](Json& r) {
          r.erase("answerable");
          r["question_decomposition"] = {{{"paragraph_support_idx", nullptr}}};
        }) == "unanswerable");
  CHECK(reason([](Json& r) { r["question"] = " "; }) == "empty question");

  const QaFile no_aliases = parse(without("answer_aliases").dump());
  REQUIRE(no_aliases.questions.size() == 1);
  CHECK(no_aliases.questions[0].answers == std::vector<std::string>{"Mason Alpha5"});
  CHECK(no_aliases.report.notes.at("no answer_aliases") == 1);
  const QaFile repeated = parse(changed([](Json& r) {
                                  r["answer_aliases"] = {" Mason Alpha5 ", "Alpha5"};
                                }).dump());
  CHECK(repeated.questions.at(0).answers == std::vector<std::string>{"Mason Alpha5", "Alpha5"});
}

TEST_CASE("A folder, a missing file, a pipe and a compressed file are named as such") {  // DP12
  const Folder folder;
  const auto read = [&](const std::filesystem::path& path) {
    return code_of([&] { read_questions(path, QaFormat::musique); });
  };
  CHECK(read(folder / "") == "folder");
  CHECK(read(folder / "none.jsonl") == "missing");
  CHECK(read(folder.write("q.jsonl.gz", "\x1f\x8b\x08 bytes")) == "compressed");
  CHECK(read("/dev/null") == "not_regular");
}

TEST_CASE("More bad records than allowed are an error at the first of them, after a report on all") {
  const Folder folder;
  const auto path = folder.write("q.jsonl", musique_file(2) + "{}\n[]\n");
  std::ostringstream log;
  CHECK(load_questions(path, QaFormat::musique, {.max_bad = 2}, log).questions.size() == 2);
  try {
    load_questions(path, QaFormat::musique, {.max_bad = 1}, log);
    FAIL("no error");
  } catch (const DataError& error) {
    CHECK(error.where().line == 3);
    CHECK(std::string(error.what()).find("2 bad record(s), allowed are 1") != std::string::npos);
  }
  CHECK(log.str().find("q.jsonl:4") != std::string::npos);
}

TEST_CASE("All bad records are counted, only the first are kept and shown") {
  std::string bytes = musique_record(0).dump() + "\n";
  for (int i = 0; i < 25; ++i) bytes += "{}\n";
  const QaFile file = parse(bytes);
  CHECK(file.report.bad == 25);
  CHECK(file.report.records == 26);
  CHECK(file.report.first_bad.size() == most_bad_shown);
  CHECK(file.report.first_bad[0].where.line == 2);
  std::ostringstream log;
  print_report(file.report, log);
  CHECK(log.str().find("... and 15 more bad records") != std::string::npos);
  CHECK_NOTHROW(require_good(file.report, 25));
  CHECK_THROWS_AS(require_good(file.report, 24), DataError);
  const Folder folder;
  const auto path = folder.write("q.jsonl", musique_file(2));
  CHECK_THROWS_AS(load_questions(path, QaFormat::musique, {.max_bad = -1}, log), UsageError);
}

TEST_CASE("A bad question of a SQuAD file costs only itself and names its place") {
  Json squad = squad_file(2, 2);
  squad["data"][1]["paragraphs"][0]["qas"][0].erase("question");
  squad["data"][0]["paragraphs"][1].erase("context");
  const QaFile file = parse(squad.dump(), QaFormat::squad);
  CHECK(file.questions.size() == 2);
  REQUIRE(file.report.bad == 2);
  CHECK(file.report.first_bad[0].where.field == "data[0].paragraphs[1].context");
  CHECK(file.report.first_bad[1].where.field == "data[1].paragraphs[0].qas[0].question");
}

TEST_CASE("A split by article takes the first articles for training, the next for testing, and shares none") {
  const QaFile file = parse(squad_file(5, 2).dump(), QaFormat::squad);
  const SplitOptions train{.by = "article", .train = 2, .test = 2, .part = "train"};
  SplitOptions test = train;
  test.part = "test";
  const Split split = split_groups(file.questions, train);
  CHECK(split.train == std::vector<std::string>{"Article_0", "Article_1"});
  CHECK(split.test == std::vector<std::string>{"Article_2", "Article_3"});
  for (const Question& q : select_split(file.questions, train))
    CHECK((q.group == "Article_0" || q.group == "Article_1"));
  CHECK(select_split(file.questions, test).size() == 4);
  CHECK_THROWS_AS(split_groups(file.questions, {.by = "article", .train = 4, .test = 2, .part = "train"}),
                  UsageError);
  CHECK_THROWS_AS(split_groups(file.questions, {.by = "page", .train = 1, .test = 1, .part = "train"}),
                  UsageError);
  CHECK_THROWS_AS(split_groups(parse(musique_file(2)).questions, train), UsageError);
}

TEST_CASE("The seeded order does not depend on the order of the file or on the limit") {
  std::vector<Question> questions = parse(musique_file(20)).questions;
  const auto ids = [](const std::vector<Question>& list) {
    std::vector<std::string> out;
    for (const Question& q : list) out.push_back(q.id);
    return out;
  };
  const auto all = ids(seeded_order(questions, 3));
  CHECK(all != ids(questions));
  CHECK(all != ids(seeded_order(questions, 4)));
  std::reverse(questions.begin(), questions.end());
  CHECK(ids(seeded_order(questions, 3)) == all);
  CHECK(ids(seeded_order(questions, 3, 5)) == std::vector<std::string>(all.begin(), all.begin() + 5));
}
