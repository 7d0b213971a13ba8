#include "data_sample.hpp"

#include <sstream>

#include "answer_match.hpp"
#include "catch.hpp"
#include "context_record.hpp"
#include "data_build.hpp"
#include "data_fixture.hpp"
#include "manifest.hpp"
#include "usage_error.hpp"

using namespace data_fixture;

namespace {

struct Choice {
  std::optional<SampledPair> pair;
  std::string why;
};

Choice choose(const std::vector<SampledAnswer>& answers, bool gold_chosen = false, std::uint64_t seed = 0,
              bool finished_only = false) {
  Choice out;
  const std::vector<std::string> gold = {"New York City", "NYC"};
  SampleOptions options;
  options.gold_chosen = gold_chosen;
  options.finished_only = finished_only;
  options.seed = seed;
  out.pair = choose_pair(answers, gold, options, 7, out.why);
  return out;
}

SampleOptions options_for(const Folder& folder) {
  SampleOptions options;
  options.in = folder / "c.jsonl";
  options.out = folder / "p.jsonl";
  options.n = 4;
  options.where.dtype = "f32";  // how many questions are asked together depends on it
  return options;
}

std::filesystem::path contexts(const Folder& folder, int questions) {
  BuildOptions options;
  options.qa = folder.write("q.jsonl", musique_file(questions));
  options.out = folder / "c.jsonl";
  options.long_tokens = 150;
  std::ostringstream log;
  run_data_build(options, word_counter(), 0, log);
  return options.out;
}

// Answers from the prompt and the stream alone: a right one, two wrong ones, an empty one.
std::vector<SampledAnswer> answer(std::span<const text::Message> prompt, std::uint64_t stream) {
  const std::string& content = prompt[0].content;
  const std::size_t at = content.find("bridge ", content.find("Question:")) + 7;
  const std::string k = content.substr(at, content.find('?', at) - at);
  if (k == "3") return {{.text = "no idea"}, {.text = "none"}};
  return {{.text = "It was Mason Alpha" + k + ", I think."},
          {.text = "Mason Alpha" + k},
          {.text = "wrong " + std::to_string(stream % 97)},
          {.text = "a town", .finished = false},
          {.text = " "}};
}

// A sampler that answers each request by itself.
template <class F>
AnswerSampler each(F answer_one) {
  return [answer_one](std::span<const SampleRequest> requests) {
    std::vector<std::vector<SampledAnswer>> out;
    for (const SampleRequest& r : requests) out.push_back(answer_one(r.prompt, r.stream));
    return out;
  };
}

const AnswerSampler sampler = each(answer);

}  // namespace

TEST_CASE("Chosen is the shortest right answer, the first of equals, on request only a finished one") {
  const auto pair =
      choose({{.text = "It is New York City."}, {.text = "NYC"}, {.text = "nyc"}, {.text = "Boston"}}).pair;
  REQUIRE(pair);
  CHECK(pair->chosen.text == "NYC");
  CHECK(pair->chosen.finished);
  CHECK(pair->rejected.text == "Boston");
  CHECK_FALSE(pair->gold_chosen);

  const std::vector<SampledAnswer> with_cut = {
      {.text = "NYC", .finished = false}, {.text = "It is NYC."}, {.text = "Boston", .finished = false}};
  const auto any = choose(with_cut).pair, finished = choose(with_cut, false, 0, true).pair;
  REQUIRE((any && finished));
  CHECK(any->chosen.text == "NYC");
  CHECK_FALSE(any->chosen.finished);
  CHECK_FALSE(any->rejected.finished);
  CHECK(finished->chosen.text == "It is NYC.");
  CHECK(finished->chosen.finished);
  const std::vector<SampledAnswer> only_cut = {{.text = "NYC", .finished = false}, {.text = "Boston"}};
  CHECK(choose(only_cut).pair);
  CHECK(choose(only_cut, false, 0, true).why == "no finished correct answer");
}

TEST_CASE("Rejected is a seeded choice among the distinct wrong answers, never empty or broken text") {
  std::vector<SampledAnswer> answers = {
      {.text = "NYC"}, {.text = " \n"}, {.text = "bad \xef\xbf\xbd"}, {.text = std::string("bad \0", 5)}};
  CHECK(choose(answers).why == "no wrong answer");
  for (int i = 0; i < 50; ++i) answers.push_back({.text = "Boston"});
  answers.push_back({.text = "Rome"});
  int rome = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    rome += choose(answers, false, seed).pair->rejected.text == "Rome";
  CHECK(rome > 60);  // one of two distinct ones, however often each was sampled
  CHECK(rome < 140);
  CHECK(choose(answers, false, 5).pair->rejected.text == choose(answers, false, 5).pair->rejected.text);
}

TEST_CASE("Without a right answer there is no pair, unless the gold answer is chosen") {
  const std::vector<SampledAnswer> wrong = {{.text = "Boston"}};
  CHECK(choose(wrong).why == "no correct answer");
  const auto pair = choose(wrong, true).pair;
  REQUIRE(pair);
  CHECK(pair->chosen.text == "New York City");
  CHECK(pair->chosen.finished);
  CHECK(pair->rejected.text == "Boston");
  CHECK(pair->gold_chosen);
  CHECK(choose({{.text = "NYC"}}, true).why == "no wrong answer");
}

TEST_CASE(
    "Sampled records hold both prompts and a right and a wrong answer, and say where they were sampled") {
  const Folder folder;
  contexts(folder, 8);
  std::ostringstream log;
  const SampleResult result = run_data_sample(options_for(folder), sampler, "model", log);
  CHECK(result.questions == 8);
  CHECK(result.written == 7);
  CHECK(result.dropped.at("no correct answer") == 1);
  const auto records = lines_of(folder / "p.jsonl");
  REQUIRE(records.size() == 7);
  for (const Json& record : records) {
    const auto gold = record["answers"].get<std::vector<std::string>>();
    CHECK(contains_answer(record["chosen"].get<std::string>(), gold));
    CHECK_FALSE(contains_answer(record["rejected"].get<std::string>(), gold));
    CHECK(record["chosen"] != record["rejected"]);
    CHECK(record["sampled_from"] == "short");
    CHECK(record["gold_chosen"] == false);
    CHECK(record["chosen_finished"] == true);
    CHECK(record["rejected_finished"] == (record["rejected"] != "a town"));
    CHECK(record["prompt_long"][0]["content"].get<std::string>().size() >
          record["prompt_short"][0]["content"].get<std::string>().size());
  }
  const Json manifest = Json::parse(content_of(manifest_path(folder / "p.jsonl")));
  CHECK(manifest["answers"]["sampled"] == 7 * 5 + 2);
  CHECK(manifest["answers"]["correct"] == 14);
  CHECK(manifest["answers"]["empty"] == 7);
  CHECK_FALSE(std::filesystem::exists(folder / "p.jsonl.partial"));

  SampleOptions from_long = options_for(folder);
  from_long.from = "long";
  from_long.out = folder / "l.jsonl";
  std::size_t shortest = SIZE_MAX;
  run_data_sample(from_long, each([&](std::span<const text::Message> prompt, std::uint64_t stream) {
                    shortest = std::min(shortest, prompt[0].content.size());
                    return answer(prompt, stream);
                  }),
                  "model", log);
  CHECK(shortest > 500);
  CHECK(lines_of(folder / "l.jsonl")[0]["sampled_from"] == "long");
}

TEST_CASE("An interrupted run goes on where it stopped and ends with the same bytes") {
  const Folder folder;
  contexts(folder, 8);
  std::ostringstream log;
  run_data_sample(options_for(folder), sampler, "model", log);
  const std::string whole = content_of(folder / "p.jsonl");
  std::filesystem::remove(folder / "p.jsonl");

  int asked = 0;
  const AnswerSampler counting = each([&](std::span<const text::Message> prompt, std::uint64_t stream) {
    ++asked;
    return answer(prompt, stream);
  });
  SampleOptions few = options_for(folder);
  few.n = 6;  // two questions together
  REQUIRE(questions_together(few.n, few.where) == 2);
  run_data_sample(few, sampler, "model", log);
  const std::string whole_of_six = content_of(folder / "p.jsonl");
  std::filesystem::remove(folder / "p.jsonl");
  CHECK(run_data_sample(few, counting, "model", log, [&] { return asked == 4; }).interrupted);
  CHECK_FALSE(std::filesystem::exists(folder / "p.jsonl"));
  std::ofstream(folder / "p.jsonl.partial", std::ios::app)
      << "{\"samples\": 4, \"corr";  // killed while writing
  const SampleResult rest = run_data_sample(few, counting, "model", log);
  CHECK(asked == 8);
  CHECK(rest.questions == 8);
  CHECK(content_of(folder / "p.jsonl") == whole_of_six);
  CHECK(whole_of_six == whole);  // this sampler gives the same answers whatever n is
}

TEST_CASE("New records do not take the place of old ones beside whose manifest they would stand") {
  const Folder folder;
  contexts(folder, 4);
  std::ostringstream log;
  const SampleOptions options = options_for(folder);
  std::filesystem::create_directories(manifest_path(options.out) / "in the way");  // it cannot be removed
  CHECK_THROWS_AS(run_data_sample(options, sampler, "model", log), IoError);
  CHECK_FALSE(std::filesystem::exists(options.out));
}

TEST_CASE("The unfinished work of another run is refused, not mixed in") {
  const Folder folder;
  contexts(folder, 4);
  std::ostringstream log;
  SampleOptions options = options_for(folder);
  options.n = 16;  // one question at a time
  run_data_sample(options, sampler, "model", log, [asked = 0]() mutable { return ++asked == 3; });
  REQUIRE(std::filesystem::exists(folder / "p.jsonl.partial"));
  CHECK_THROWS_AS(run_data_sample(options, sampler, "another model", log), UsageError);
  options.temperature = 1;
  CHECK_THROWS_AS(run_data_sample(options, sampler, "model", log), UsageError);
  options = options_for(folder);
  options.n = 16;
  options.limit = 2;  // how many are wanted changes nothing about a record
  CHECK(run_data_sample(options, sampler, "model", log).written == 2);
}

TEST_CASE("Yes/no answers and prompts that do not fit are dropped and counted; no pair at all is an error") {
  const Folder folder;
  const auto path = contexts(folder, 4);
  std::vector<Json> records = lines_of(path);
  records[0]["answers"] = {"no"};
  std::string text;
  for (const Json& record : records) text += record.dump() + "\n";
  folder.write("c.jsonl", text);
  std::ostringstream log;
  int calls = 0;
  const SampleResult result = run_data_sample(
      options_for(folder), each([&](std::span<const text::Message> prompt, std::uint64_t stream) {
        return ++calls == 1 ? std::vector<SampledAnswer>{} : answer(prompt, stream);
      }),
      "model", log);
  CHECK(result.dropped.at("yes/no answer") == 1);
  CHECK(result.dropped.at("prompt past the model's context") == 1);
  const AnswerSampler useless = each([](std::span<const text::Message>, std::uint64_t) {
    return std::vector<SampledAnswer>{{.text = "?"}};
  });
  SampleOptions options = options_for(folder);
  options.out = folder / "none.jsonl";
  CHECK_THROWS_AS(run_data_sample(options, useless, "model", log), DataError);
  CHECK_FALSE(std::filesystem::exists(options.out));
}

TEST_CASE("Contexts files with something else in them are refused with line and member") {
  const Folder folder;
  const auto error_of = [&](const std::string& content) -> std::pair<std::string, std::string> {
    try {
      read_contexts(folder.write("c.jsonl", content));
    } catch (const DataError& error) {
      return {error.code(), error.where().field};
    }
    return {"none", ""};
  };
  CHECK(error_of("[{}]").first == "json_array");
  CHECK(error_of("{}\n") == std::make_pair(std::string("field"), std::string("id")));
  CHECK(error_of("{\"id\": \"x\", \"question\": \"q\", \"answers\": []}\n").second == "answers");
}
