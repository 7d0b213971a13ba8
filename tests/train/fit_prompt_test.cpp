#include "solopo/train/fit_prompt.hpp"

#include "byte_encoder.hpp"
#include "catch.hpp"

using namespace solopo;
using namespace solopo::test;

namespace {

const std::string instruction = "Answer the question.";
const std::string question = "Question: who?\nAnswer:";

// Instruction, ten numbered passages, question.
std::string prompt_text() {
  std::string text = instruction + "\n\n";
  for (int i = 0; i < 10; ++i) text += "passage" + std::to_string(i) + " with some words\n\n";
  return text + question;
}

std::string text_of(const std::vector<std::int32_t>& ids) { return {ids.begin(), ids.end()}; }

}  // namespace

TEST_CASE("Cutting keeps instruction and question whole, both ends of the context, and fills the budget") {
  const PromptText prompt{.text = prompt_text(), .messages = {}};
  for (std::size_t budget = 60; budget < prompt_text().size(); budget += 7) {
    const auto ids = fit_prompt(prompt, "who?", budget, byte_encoder());
    REQUIRE(ids.has_value());
    const std::string text = text_of(*ids);
    INFO(budget << ": " << text);
    CHECK(ids->size() <= budget);
    CHECK(ids->size() + 25 > budget);  // no more than about two words are cut without need
    CHECK(text.starts_with(instruction + "\n\n"));
    CHECK(text.ends_with("\n\n" + question));
    if (budget > 150 && budget < 230) {
      CHECK(text.find("passage0 with") != std::string::npos);
      CHECK(text.find("passage9 with some words") != std::string::npos);
      CHECK(text.find("passage5") == std::string::npos);
    }
  }
}

TEST_CASE("A prompt that fits is left as it is") {
  const PromptText prompt{.text = prompt_text(), .messages = {}};
  CHECK(text_of(*fit_prompt(prompt, "who?", 1000, byte_encoder())) == prompt_text());
}

TEST_CASE("When instruction and question alone are too long nothing fits") {
  const PromptText prompt{.text = prompt_text(), .messages = {}};
  const std::size_t least = instruction.size() + 2 + question.size();
  CHECK_FALSE(fit_prompt(prompt, "who?", least - 1, byte_encoder()).has_value());
  CHECK(fit_prompt(prompt, "who?", least + 2, byte_encoder()).has_value());
}

TEST_CASE("Of messages only the last user's context is cut") {
  const PromptText prompt{.text = {}, .messages = {{"system", "Be brief."}, {"user", prompt_text()}}};
  const auto ids = fit_prompt(prompt, "who?", 150, byte_encoder());
  REQUIRE(ids.has_value());
  const std::string text = text_of(*ids);
  CHECK(text.starts_with("<system>Be brief.<user>" + instruction));
  CHECK(text.ends_with(question + "<assistant>"));
}

TEST_CASE("Without a question the last paragraph is kept") {
  const ContextRange range = context_range("first\n\nmiddle\n\nlast", "");
  CHECK(range.begin == 7);
  CHECK(range.end == 13);
}

TEST_CASE(
    "The last place of the question counts, with its whole line, and without paragraphs all before it is "
    "context") {
  const std::string text = "who? said he\nmore\nSay: who?\nAnswer:";
  const ContextRange range = context_range(text, "who?");
  CHECK(range.begin == 0);
  CHECK(text.substr(range.end) == "\nSay: who?\nAnswer:");
  CHECK(context_range("who?", "who?").end == 0);
  CHECK(context_range("no line break", "").end == 0);
}

TEST_CASE("Text of several bytes a letter is never cut within a word") {
  std::string text = "x\n\n";
  for (int i = 0; i < 30; ++i) text += "\xc3\xa4\xc3\xb6\xc3\xbc ";
  const ContextRange range{3, text.size()};
  for (std::size_t kept = 0; kept < range.end - range.begin; ++kept) {
    const std::string cut = without_middle(text, range, kept);
    for (std::size_t i = 0; i < cut.size(); ++i) {
      const bool tail = (static_cast<unsigned char>(cut[i]) & 0xc0) == 0x80;
      const bool after_lead = i > 0 && static_cast<unsigned char>(cut[i - 1]) == 0xc3;
      CHECK(tail == after_lead);
    }
  }
}
