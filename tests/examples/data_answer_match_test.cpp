#include "answer_match.hpp"

#include "catch.hpp"

using namespace solopo::cli;

namespace {
bool matches(std::string_view text, std::vector<std::string> answers) {
  return contains_answer(text, answers);
}
}  // namespace

TEST_CASE("Normalisation follows SQuAD: case, punctuation, articles, blanks") {
  CHECK(normalise_answer("  The Quick,  brown\tFOX! ") == "quick brown fox");
  CHECK(normalise_answer("An apple a day") == "apple day");
  CHECK(normalise_answer("theatre another") == "theatre another");
  CHECK(normalise_answer("well-known U.S.") == "wellknown us");
  CHECK(normalise_answer("the") == "");
}

TEST_CASE("Normalisation knows letters, quotes and blanks beyond ASCII") {
  CHECK(normalise_answer("\u00c9COLE \u0141\u00d3D\u0179 \u03a9\u039c\u0395\u0393\u0391 "
                         "\u041c\u041e\u0421\u041a\u0412\u0410") ==
        "\u00e9cole \u0142\u00f3d\u017a \u03c9\u03bc\u03b5\u03b3\u03b1 \u043c\u043e\u0441\u043a\u0432\u0430");
  CHECK(normalise_answer("1939\u20131945") == "19391945");
  CHECK(normalise_answer("\u201cOtto\u2019s\u201d\u00a0car") == "ottos car");
  CHECK(normalise_answer("\u6771\u4eac") == "\u6771\u4eac");
  CHECK(normalise_answer("\u00d7\u00f7\u00df") == "\u00d7\u00f7\u00df");  // no letters with a lower case
}

TEST_CASE("An answer matches as whole words only") {
  CHECK(matches("It was Paris, of course.", {"paris"}));
  CHECK(matches("the answer: The Beatles", {"Beatles"}));
  CHECK_FALSE(matches("a comparison", {"paris"}));
  CHECK_FALSE(matches("in 19451", {"1945"}));
  CHECK_FALSE(matches("1945 on", {"1945 one"}));
  CHECK(matches("onion on", {"on"}));  // a partial hit before the whole one
}

TEST_CASE("Any alias matches, and an answer without words never does") {
  CHECK(matches("born in NYC", {"New York City", "NYC"}));
  CHECK_FALSE(matches("the the", {"the"}));
  CHECK_FALSE(matches("", {"x"}));
}

TEST_CASE("Yes and no are recognised in any dress") {
  CHECK(is_yes_no(std::vector<std::string>{"Yes."}));
  CHECK(is_yes_no(std::vector<std::string>{"x", "NO"}));
  CHECK_FALSE(is_yes_no(std::vector<std::string>{"no one"}));
}
