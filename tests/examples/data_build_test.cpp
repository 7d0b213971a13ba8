#include "data_build.hpp"

#include <set>
#include <sstream>

#include "catch.hpp"
#include "context_record.hpp"
#include "data_fixture.hpp"
#include "data_synth.hpp"
#include "manifest.hpp"
#include "usage_error.hpp"

using namespace data_fixture;

namespace {

BuildOptions options_for(const std::filesystem::path& qa, const std::filesystem::path& out) {
  BuildOptions options;
  options.qa = qa;
  options.out = out;
  options.long_tokens = 200;
  options.seed = 4;
  return options;
}

BuildResult build(const BuildOptions& options, std::int64_t context_length = 0) {
  std::ostringstream log;
  return run_data_build(options, word_counter(), context_length, log);
}

}  // namespace

TEST_CASE("Built contexts are records that data sample reads, and the manifest accounts for every question") {
  const Folder folder;
  Json unanswerable = musique_record(50), long_evidence = musique_record(51);
  unanswerable["answerable"] = false;
  std::string many;
  for (int i = 0; i < 250; ++i) many += "word ";
  long_evidence["paragraphs"][1]["paragraph_text"] = many;
  const auto qa =
      folder.write("q.jsonl", musique_file(20) + unanswerable.dump() + "\n" + long_evidence.dump() + "\n");
  BuildOptions options = options_for(qa, folder / "c.jsonl");
  options.short_tokens = 60;
  const BuildResult result = build(options);
  CHECK(result.written == 20);

  const ContextFile contexts = read_contexts(folder / "c.jsonl");
  REQUIRE(contexts.records.size() == 20);
  for (const ContextRecord& record : contexts.records) {
    CHECK(record.short_tokens <= 60);
    CHECK(record.long_tokens <= 200);
    CHECK(record.long_tokens > record.short_tokens);
    CHECK(record.short_tokens == word_counter().prompt(record.prompt_short));
    CHECK(record.long_tokens == word_counter().prompt(record.prompt_long));
  }
  const Json manifest = Json::parse(content_of(manifest_path(folder / "c.jsonl")));
  CHECK(manifest["questions"]["records"] == 22);
  CHECK(manifest["questions"]["dropped"]["unanswerable"] == 1);
  CHECK(manifest["dropped"]["evidence over short_tokens"] == 1);
  CHECK(manifest["written"] == 20);
  CHECK(manifest["output_sha256"] == contexts.sha256);
  CHECK(manifest["options"]["seed"] == 4);
  CHECK(manifest["program"]["version"] == "0.1.0");
  CHECK(manifest["tokens"]["long"]["max"] <= 200);
  CHECK(manifest["questions"]["sha256"] == io::sha256_hex(content_of(qa)));
}

TEST_CASE("The same seed gives the same bytes, of contexts and manifest; another seed does not") {  // DP11
  const Folder folder;
  const auto qa = folder.write("q.jsonl", musique_file(20));
  BuildOptions options = options_for(qa, folder / "a.jsonl");
  build(options);
  options.out = folder / "b.jsonl";
  build(options);
  CHECK(content_of(folder / "a.jsonl") == content_of(folder / "b.jsonl"));
  CHECK(content_of(manifest_path(folder / "a.jsonl")) == content_of(manifest_path(folder / "b.jsonl")));
  options.seed = 5;
  build(options);
  CHECK(content_of(folder / "a.jsonl") != content_of(folder / "b.jsonl"));
}

TEST_CASE("A limit takes the first of the same records") {
  const Folder folder;
  const auto qa = folder.write("q.jsonl", musique_file(20));
  BuildOptions options = options_for(qa, folder / "a.jsonl");
  build(options);
  const std::string all = content_of(folder / "a.jsonl");
  options.limit = 6;
  CHECK(build(options).written == 6);
  const std::string few = content_of(folder / "a.jsonl");
  CHECK(all.compare(0, few.size(), few) == 0);
}

TEST_CASE("Contexts of the training articles never hold a test article, and the other way round") {
  const Folder folder;
  const auto qa = folder.write("s.json", squad_file(6, 8).dump());
  BuildOptions options = options_for(qa, folder / "c.jsonl");
  options.format = "squad";
  options.split = {.by = "article", .train = 3, .test = 2, .part = "train"};
  build(options);
  const std::string train = content_of(folder / "c.jsonl");
  for (const char* title : {"Article 3", "Article 4", "Article 5"})
    CHECK(train.find(title) == std::string::npos);
  CHECK(train.find("Article 2") != std::string::npos);
  options.split.part = "test";
  build(options);
  const std::string test = content_of(folder / "c.jsonl");
  for (const char* title : {"Article 0", "Article 1", "Article 2", "Article 5"})
    CHECK(test.find(title) == std::string::npos);
  const Split split = read_split(manifest_path(folder / "c.jsonl"));
  CHECK(split.train == std::vector<std::string>{"Article_0", "Article_1", "Article_2"});
  CHECK(split.test == std::vector<std::string>{"Article_3", "Article_4"});
}

TEST_CASE(
    "Impossible options are refused before anything is read, and a failed build leaves nothing behind") {  // DP10
  const Folder folder;
  const auto qa = folder.write("q.jsonl", musique_file(3));
  BuildOptions options = options_for(qa, folder / "c.jsonl");
  options.short_tokens = 200;
  CHECK_THROWS_AS(build(options), UsageError);
  options.short_tokens = 0;
  CHECK_THROWS_AS(build(options, 199), UsageError);
  CHECK_NOTHROW(build(options, 200));
  std::filesystem::remove(options.out);
  options.long_tokens = 10;  // below any evidence
  CHECK_THROWS_AS(build(options), DataError);
  options.long_tokens = 200;
  options.qa = folder.write("bad.jsonl", musique_file(3) + "{");
  CHECK_THROWS_AS(build(options), DataError);
  CHECK_FALSE(std::filesystem::exists(options.out));
  options.out = folder / "no folder/c.jsonl";
  CHECK_THROWS_AS(build(options), IoError);
}

TEST_CASE("The manifest of old contexts is gone before new ones take their place, and not sooner") {
  const Folder folder;
  BuildOptions options = options_for(folder.write("q.jsonl", musique_file(3)), folder / "c.jsonl");
  build(options);
  BuildOptions failing = options;
  failing.long_tokens = 10;  // below any evidence
  CHECK_THROWS_AS(build(failing), DataError);
  REQUIRE(std::filesystem::exists(manifest_path(options.out)));

  std::filesystem::remove(options.out);
  const TokenCounter words = word_counter();
  const TokenCounter in_the_way = {.piece = words.piece, .prompt = [&](std::span<const text::Message> m) {
                                     std::filesystem::create_directory(options.out);
                                     return words.prompt(m);
                                   }};
  std::ostringstream log;
  CHECK_THROWS_AS(run_data_build(options, in_the_way, 0, log), IoError);  // the new contexts got no name
  CHECK_FALSE(std::filesystem::exists(manifest_path(options.out)));
}

TEST_CASE("Synthetic questions have distinct keys and values and read back like any question file") {
  const Folder folder;
  std::ostringstream log;
  const SynthOptions options{.out = folder / "train.jsonl",
                             .words = {},
                             .count = 40,
                             .documents = 96,
                             .seed = 3,
                             .purpose = "train"};
  run_data_synth(options, log);
  const QaFile file = read_questions(options.out, QaFormat::musique);
  REQUIRE(file.questions.size() == 40);
  CHECK(file.report.bad == 0);
  std::set<std::string> questions;
  for (const Question& q : file.questions) {
    std::set<std::string> keys, values;
    for (const Paragraph& p : q.paragraphs) {
      keys.insert(p.title);
      const std::size_t second = p.text.find(' ', p.text.find(' ') + 1);
      values.insert(p.text.substr(0, second));
      CHECK(count_words(p.text) >= 4);
      CHECK(count_words(p.text) <= 8);
      if (p.supporting) {
        CHECK(p.title == q.question);
        CHECK(p.text.substr(0, second) == q.answers[0]);
      }
    }
    CHECK(keys.size() == 96);
    CHECK(values.size() == 96);
    questions.insert(q.question + q.answers[0]);
  }
  CHECK(questions.size() > 35);

  SynthOptions again = options;
  again.out = folder / "again.jsonl";
  run_data_synth(again, log);
  CHECK(content_of(again.out) == content_of(options.out));
  again.purpose = "test";
  run_data_synth(again, log);
  CHECK(content_of(again.out) != content_of(options.out));
  again.documents = 1000;
  CHECK_THROWS_AS(run_data_synth(again, log), UsageError);
}

TEST_CASE("Synthetic contexts are the tiny model's prompts: documents a line each, a blank line, the key") {
  const Folder folder;
  std::ostringstream log;
  run_data_synth(
      {.out = folder / "q.jsonl", .words = {}, .count = 10, .documents = 96, .seed = 3, .purpose = "train"},
      log);
  BuildOptions options = options_for(folder / "q.jsonl", folder / "c.jsonl");
  options.prompt = synth_prompt_format();
  options.pooled = false;
  options.short_tokens = 64;
  options.long_tokens = 256;
  // Every word and line break is a token.
  const auto count = [](std::string_view text) {
    std::int64_t n = count_words(text);
    for (const char c : text) n += c == '\n';
    for (std::size_t i = 0; i + 1 < text.size(); ++i)
      n += text[i] >= '0' && text[i] <= '9' && text[i + 1] >= 'a';
    return n;
  };
  run_data_build(
      options,
      {.piece = count, .prompt = [&](std::span<const text::Message> m) { return count(m[0].content); }}, 0,
      log);
  for (const ContextRecord& record : read_contexts(folder / "c.jsonl").records) {
    const std::string& content = record.prompt_short[0].content;
    const std::string tail = "\n\n" + record.question;
    CHECK(content.compare(content.size() - tail.size(), tail.size(), tail) == 0);
    CHECK(content.find(record.question + record.answers[0] + " ") != std::string::npos);
    CHECK(record.short_tokens > 54);
    CHECK(record.long_tokens > 246);
  }
}
