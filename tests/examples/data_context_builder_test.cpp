#include "context_builder.hpp"

#include <algorithm>
#include <set>

#include "answer_match.hpp"
#include "catch.hpp"
#include "data_fixture.hpp"
#include "usage_error.hpp"

using namespace data_fixture;

namespace {

// The passages of a prompt, in order.
std::vector<std::string> passages_of(const Context& context) {
  std::vector<std::string> out;
  std::string_view rest = context.prompt.at(0).content;
  for (;;) {
    const std::size_t end = rest.find("\n\n");
    out.emplace_back(rest.substr(0, end));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 2);
  }
  return {out.begin() + 1, out.end() - 1};  // without instruction and question
}

std::vector<std::string> evidence_of(const Question& question) {
  std::vector<std::string> out;
  for (const Paragraph& p : question.paragraphs) {
    if (p.supporting) out.push_back(p.title + "\n" + p.text);
  }
  return out;
}

bool is_subsequence(const std::vector<std::string>& part, const std::vector<std::string>& whole) {
  auto at = whole.begin();
  for (const std::string& p : part) {
    at = std::find(at, whole.end(), p);
    if (at == whole.end()) return false;
    ++at;
  }
  return true;
}

}  // namespace

TEST_CASE("A context keeps the evidence verbatim, stays in the budget and never gives the answer away") {
  const auto questions = parse(musique_file(30)).questions;
  ContextBuilder builder(questions, {}, word_counter(), {.seed = 1});
  for (const Question& question : questions) {
    for (const std::int64_t target : {60, 100, 333}) {
      const auto context = builder.build(question, target);
      REQUIRE(context);
      CHECK(context->tokens <= target);
      CHECK(context->tokens == word_counter().prompt(context->prompt));
      CHECK(context->tokens > target - 16);  // no further distractor of at most 16 words would fit
      const auto passages = passages_of(*context);
      const auto evidence = evidence_of(question);
      CHECK(passages.size() == evidence.size() + static_cast<std::size_t>(context->distractors));
      CHECK(std::set<std::string>(passages.begin(), passages.end()).size() == passages.size());
      for (const std::string& passage : passages) {
        const bool is_evidence = std::find(evidence.begin(), evidence.end(), passage) != evidence.end();
        CHECK((is_evidence || !contains_answer(passage, question.answers)));
      }
      for (const std::string& e : evidence) CHECK(std::count(passages.begin(), passages.end(), e) == 1);
    }
  }
  CHECK(builder.refused().at("contains the answer") > 0);
}

TEST_CASE("A longer context holds all of a shorter one, in the same order") {
  const auto questions = parse(musique_file(30)).questions;
  ContextBuilder builder(questions, {}, word_counter(), {.seed = 2});
  for (const Question& question : questions) {
    std::vector<std::string> shorter;
    for (const std::int64_t target : {0, 60, 120, 250, 500}) {
      const auto longer = passages_of(*builder.build(question, target));
      CHECK(is_subsequence(shorter, longer));
      CHECK(longer.size() > shorter.size());
      shorter = longer;
    }
  }
}

TEST_CASE("Own distractors come before pooled ones, and pooling can be turned off") {
  const auto questions = parse(musique_file(30)).questions;
  ContextBuilder pooled(questions, {}, word_counter(), {.seed = 1});
  ContextBuilder own_only(questions, {}, word_counter(), {.seed = 1, .pooled = false});
  const Question& question = questions[7];
  const auto few = passages_of(*pooled.build(question, 66));
  for (const std::string& passage : few) {
    CHECK(std::any_of(question.paragraphs.begin(), question.paragraphs.end(),
                      [&](const Paragraph& p) { return p.title + "\n" + p.text == passage; }));
  }
  CHECK(own_only.build(question, 10000)->distractors == 3);
  CHECK(pooled.build(question, 10000)->distractors > 100);
}

TEST_CASE("The tokens of the whole prompt decide, not the sum of its parts") {
  const auto questions = parse(musique_file(30)).questions;
  ContextBuilder builder(questions, {}, word_counter(2), {.seed = 1});  // two more tokens at each blank line
  for (const Question& question : questions) {
    std::vector<std::string> shorter;
    for (const std::int64_t target : {70, 150, 300}) {
      const auto context = builder.build(question, target);
      REQUIRE(context);
      CHECK(context->tokens <= target);
      CHECK(context->tokens == word_counter(2).prompt(context->prompt));
      const auto longer = passages_of(*context);
      CHECK(is_subsequence(shorter, longer));
      shorter = longer;
    }
  }
}

TEST_CASE("A distractor over the longest allowed is passed over, and does not end the context") {
  auto questions = parse(musique_file(30)).questions;
  std::string endless;
  for (int i = 0; i < 400; ++i) endless += "word ";
  questions[0].paragraphs[0].text = endless;
  ContextBuilder builder(questions, {}, word_counter(), {.seed = 1});
  for (const Question& question : questions) CHECK(builder.build(question, 300)->tokens > 284);
  CHECK(builder.refused().at("over longest_distractor") > 0);
  ContextBuilder any(questions, {}, word_counter(), {.seed = 1, .longest_distractor = 0});
  CHECK(any.build(questions[0], 300)->tokens < 284);
}

TEST_CASE("A context depends on the seed and its own question, not on what else is built") {
  const auto questions = parse(musique_file(12)).questions;
  ContextBuilder first(questions, {}, word_counter(), {.seed = 5}),
      second(questions, {}, word_counter(), {.seed = 5}), other(questions, {}, word_counter(), {.seed = 6});
  std::vector<std::string> forward(12), backward(12);
  int different = 0;
  for (std::size_t i = 0; i < 12; ++i) forward[i] = first.build(questions[i], 200)->prompt[0].content;
  for (std::size_t i = 12; i-- > 0;) {
    second.build(questions[i], 90);
    backward[i] = second.build(questions[i], 200)->prompt[0].content;
    different += other.build(questions[i], 200)->prompt[0].content != forward[i];
  }
  CHECK(forward == backward);
  CHECK(different >= 11);
}

TEST_CASE("Evidence over the budget gives no context, and length 0 is the evidence alone") {  // DP10
  const auto questions = parse(musique_file(3)).questions;
  ContextBuilder builder(questions, {}, word_counter(), {.seed = 1});
  const auto alone = builder.build(questions[0], 0);
  REQUIRE(alone);
  CHECK(alone->distractors == 0);
  CHECK(passages_of(*alone).size() == 2);
  CHECK(builder.build(questions[0], alone->tokens)->tokens == alone->tokens);
  CHECK_FALSE(builder.build(questions[0], alone->tokens - 1));
}

TEST_CASE("Asked depths put the evidence there, drawn depths spread over the context") {
  const auto questions = parse(musique_file(60)).questions;
  ContextBuilder builder(questions, {}, word_counter(), {.seed = 1});
  double sum = 0;
  for (const Question& question : questions) {
    const auto evidence = evidence_of(question);
    const auto starts = passages_of(*builder.build(question, 300, 0.0));
    CHECK(std::count(evidence.begin(), evidence.end(), starts.front()) == 1);
    CHECK(builder.build(question, 300, 0.0)->depth == 0);
    const auto ends = passages_of(*builder.build(question, 300, 1.0));
    CHECK(std::count(evidence.begin(), evidence.end(), ends.back()) == 1);
    CHECK(builder.build(question, 300, 1.0)->depth == 1);
    CHECK(std::abs(builder.build(question, 300, 0.5)->depth - 0.5) < 0.05);
    sum += builder.build(question, 300)->depth;
  }
  CHECK(sum / 60 > 0.35);
  CHECK(sum / 60 < 0.65);
  ContextBuilder listed(questions, {}, word_counter(), {.seed = 1, .depths = {0, 1}});
  std::set<double> seen;
  for (const Question& question : questions) seen.insert(listed.build(question, 300)->depth);
  CHECK(seen == std::set<double>{0, 1});
  CHECK_THROWS_AS(ContextBuilder(questions, {}, word_counter(), {.depths = {1.5}}), UsageError);
}

TEST_CASE("SQuAD distractors come from the question's article and from others, in the asked proportion") {
  const auto questions = parse(squad_file(10, 30).dump(), QaFormat::squad).questions;
  CHECK(default_own_share(QaFormat::squad) == 0.5);
  for (const double share : {0.0, 0.5, 1.0}) {
    ContextBuilder builder(questions, {}, word_counter(), {.seed = 1, .own_share = share});
    double own = 0, all = 0;
    for (std::size_t i = 0; i < questions.size(); i += 15) {
      const std::string title = questions[i].paragraphs[0].title + "\n";
      const auto context = builder.build(questions[i], 250);
      for (const std::string& passage : passages_of(*context)) own += passage.rfind(title, 0) == 0;
      own -= 1;  // the evidence
      all += static_cast<double>(context->distractors);
    }
    CHECK(std::abs(own / all - share) < 0.1);
  }
}

TEST_CASE("Further distractors come from passages or from prose, never from what the evidence says") {
  const Folder folder;
  const auto passages =
      folder.write("p.jsonl", "{\"title\": \"T\", \"text\": \"One two.\"}\n{\"text\": \"Three.\"}\n");
  std::string digest;
  const auto from_lines = read_distractors(passages, &digest);
  REQUIRE(from_lines.size() == 2);
  CHECK(from_lines[0].title == "T");
  CHECK(from_lines[1].title.empty());
  CHECK(digest.size() == 64);
  CHECK_THROWS_AS(read_distractors(folder.write("b.jsonl", "{\"title\": \"T\"}\n")), DataError);

  std::string prose;
  for (int block = 0; block < 40; ++block) {
    for (int word = 0; word < 30; ++word)
      prose += "word" + std::to_string(word) + (word % 10 == 9 ? "\n" : " ");
    prose += "\n";
  }
  const auto from_prose = read_distractors(folder.write("prose.txt", prose));
  CHECK(from_prose.size() == 20);
  for (const Paragraph& p : from_prose)
    CHECK(count_words(p.text) == 60);  // two blocks of 30 make one of at least 40

  const auto questions = parse(musique_file(1)).questions;
  const std::vector<Paragraph> extra = {{.title = "E", .text = "The extra paragraph has five words more."},
                                        {.title = "X", .text = "He is called m. ALPHA0."},
                                        questions[0].paragraphs[1]};
  ContextBuilder builder(questions, extra, word_counter(), {.seed = 1});
  CHECK(builder.build(questions[0], 10000)->distractors == 4);  // three own ones and E
}

TEST_CASE("A turn is instruction, passages and question, and empty parts leave no blank lines") {
  const PromptFormat format;
  CHECK(render_passage(format, {.title = "T", .text = "x {title}"}) == "T\nx {title}");
  CHECK(render_passage(format, {.title = "", .text = "x"}) == "x");
  const std::vector<std::string> passages = {"A", "B"};
  CHECK(render_turn(format, passages, "Q?") ==
        "Answer the question using the passages. Give only the answer.\n\nA\n\nB\n\nQuestion: Q?\nAnswer:");
  PromptFormat bare = format;
  bare.instruction = "", bare.separator = "\n", bare.question = "{question}";
  CHECK(render_turn(bare, passages, "204") == "A\nB\n\n204");
  CHECK(render_turn(bare, {}, "204") == "204");
  CHECK(unescape("a\\nb\\\\n\\t\\x") == "a\nb\\n\t\\x");
  CHECK(to_json(prompt_format_from_json(to_json(bare))) == to_json(bare));
  CHECK_THROWS_AS(prompt_format_from_json(Json{{"pasage", "{text}"}}), UsageError);
  CHECK_THROWS_AS(prompt_format_from_json(Json{{"passage", "text"}}), UsageError);
}
