#include "solopo/text/splitters.hpp"

#include <string>
#include <vector>

#include "catch.hpp"

using namespace solopo::text;
using Pieces = std::vector<std::string>;

namespace {
Pieces pieces(const PreTokenizer& pre, std::string_view text) {
  Pieces out;
  for_each_piece(pre, text, [&](std::string_view piece) { out.emplace_back(piece); });
  return out;
}
const PreTokenizer gpt2{.pattern = Pattern::gpt2}, llama3{.pattern = Pattern::llama3},
    qwen2{.pattern = Pattern::qwen2};
const PreTokenizer smollm{.digits = PreTokenizer::Digits::single, .pattern = Pattern::gpt2};
}  // namespace

TEST_CASE("a run of blanks leaves its last one to the word") {
  for (const PreTokenizer& pre : {gpt2, llama3, qwen2, smollm}) {
    CHECK(pieces(pre, "  two") == Pieces{" ", " two"});
    CHECK(pieces(pre, "two  ") == Pieces{"two", "  "});
  }
  CHECK(pieces(gpt2, "a\n\nb") == Pieces{"a", "\n", "\n", "b"});
  CHECK(pieces(gpt2, "a\t\tb") == Pieces{"a", "\t", "\t", "b"});
  CHECK(pieces(llama3, "a\t\tb") == Pieces{"a", "\t", "\tb"});
}

TEST_CASE("Llama-3 and Qwen2 keep line ends together and with the symbols before them") {
  for (const PreTokenizer& pre : {llama3, qwen2}) {
    CHECK(pieces(pre, "a \n\n  b") == Pieces{"a", " \n\n", " ", " b"});
    CHECK(pieces(pre, "}\r\n\r\nx") == Pieces{"}\r\n\r\n", "x"});
    CHECK(pieces(pre, " !\n") == Pieces{" !\n"});
    CHECK(pieces(pre, "\n\n") == Pieces{"\n\n"});
    CHECK(pieces(pre, "-word") == Pieces{"-word"});
    CHECK(pieces(pre, "\nword") == Pieces{"\n", "word"});
  }
}

TEST_CASE("numbers are cut as runs, threes or single digits") {
  CHECK(pieces(gpt2, "in 12345") == Pieces{"in", " 12345"});
  CHECK(pieces(llama3, "in 12345") == Pieces{"in", " ", "123", "45"});
  CHECK(pieces(qwen2, "in 123") == Pieces{"in", " ", "1", "2", "3"});
  CHECK(pieces(smollm, "in 123") == Pieces{"in", " ", "1", "2", "3"});
  CHECK(pieces({.digits = PreTokenizer::Digits::runs, .pattern = Pattern::gpt2}, "a  123b") ==
        Pieces{"a", "  ", "123", "b"});
}

TEST_CASE("digits cut out beforehand end the text for the look-ahead") {
  CHECK(pieces(smollm, "a  1") == Pieces{"a", "  ", "1"});
  CHECK(pieces(gpt2, "a  1") == Pieces{"a", " ", " 1"});
}

TEST_CASE("contractions are lower case for GPT-2 and of any case for Llama-3") {
  CHECK(pieces(gpt2, "it's we'll") == Pieces{"it", "'s", " we", "'ll"});
  CHECK(pieces(gpt2, "IT'S") == Pieces{"IT", "'", "S"});
  CHECK(pieces(llama3, "IT'S WE'LL") == Pieces{"IT", "'S", " WE", "'LL"});
  CHECK(pieces(llama3, "THEY'Re") == Pieces{"THEY", "'Re"});
}

TEST_CASE("the long s folds to s in a contraction") {
  CHECK(pieces(llama3, "it'\u017fx") == Pieces{"it", "'\u017f", "x"});
  CHECK(pieces(qwen2, "it'\u017fx") == Pieces{"it", "'\u017f", "x"});
  CHECK(pieces(gpt2, "it'\u017fx") == Pieces{"it", "'", "\u017fx"});
}

TEST_CASE("white space is Unicode's") {
  CHECK(pieces(gpt2, "a\u0085b") == Pieces{"a", "\u0085", "b"});
  CHECK(pieces(gpt2, "a\ufeffb") == Pieces{"a", "\ufeff", "b"});
  CHECK(pieces(gpt2, "a \ufeffb") == Pieces{"a", " \ufeff", "b"});  // a symbol takes the blank before it
  CHECK(pieces(gpt2, "a \u0085b") == Pieces{"a", " ", "\u0085", "b"});
}

TEST_CASE("marks are no letters") {
  CHECK(pieces(gpt2, "e\u0301a") == Pieces{"e", "\u0301", "a"});
  CHECK(pieces(llama3, "e\u0301a") == Pieces{"e", "\u0301a"});
}

TEST_CASE("the pieces of a text are the text, and none is empty") {
  const std::string text = " \t\r\n'sS12\u0663\u00e9\u0301\u4e2d!?\U0001f600  \u00a0x'";
  for (const Pattern pattern : {Pattern::whole, Pattern::gpt2, Pattern::llama3, Pattern::qwen2}) {
    for (const auto digits :
         {PreTokenizer::Digits::together, PreTokenizer::Digits::runs, PreTokenizer::Digits::single}) {
      std::string joined;
      bool empty = false;
      for_each_piece({digits, pattern}, text, [&](std::string_view piece) {
        joined += piece;
        empty |= piece.empty();
      });
      CHECK(joined == text);
      CHECK_FALSE(empty);
      CHECK(pieces({digits, pattern}, "").empty());
    }
  }
}

TEST_CASE("a pattern is known by its exact source only") {
  CHECK(find_pattern(pattern_source::gpt2) == Pattern::gpt2);
  CHECK(find_pattern(pattern_source::llama3) == Pattern::llama3);
  CHECK(find_pattern(pattern_source::qwen2) == Pattern::qwen2);
  CHECK_FALSE(find_pattern(std::string(pattern_source::gpt2) + "|x"));
  CHECK_FALSE(find_pattern(""));
}
