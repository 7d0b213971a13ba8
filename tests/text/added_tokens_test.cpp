#include "solopo/text/added_tokens.hpp"

#include "catch.hpp"

using namespace solopo::text;

namespace {
// "[id:text]" for a token, the text itself otherwise, with bars between.
std::string split(const std::vector<AddedToken>& tokens, std::string_view text, bool parse_special = true) {
  std::vector<TextSegment> segments;
  AddedTokenMatcher(tokens).split(text, parse_special, segments);
  std::string out;
  for (const TextSegment& s : segments) {
    if (!out.empty()) out += '|';
    out += s.id < 0 ? std::string(s.text) : "[" + std::to_string(s.id) + ":" + std::string(s.text) + "]";
  }
  return out;
}
}  // namespace

TEST_CASE("the longest of the tokens that begin at one place is found") {
  const std::vector<AddedToken> tokens = {{.id = 1, .content = "<a"}, {.id = 2, .content = "<ab>"}};
  CHECK(split(tokens, "x<ab>y") == "x|[2:<ab>]|y");
  CHECK(split(tokens, "<abc") == "[1:<a]|bc");
  CHECK(split(tokens, "<<a") == "<|[1:<a]");
}

TEST_CASE("the leftmost token wins over a longer one that begins inside it") {
  const std::vector<AddedToken> tokens = {{.id = 1, .content = "ab"}, {.id = 2, .content = "bcdef"}};
  CHECK(split(tokens, "abcdef") == "[1:ab]|cdef");
}

TEST_CASE("lstrip and rstrip swallow white space on their side only") {
  CHECK(split({{.id = 1, .content = "<l>", .lstrip = true}}, "a \n<l> b") == "a|[1: \n<l>]| b");
  CHECK(split({{.id = 1, .content = "<r>", .rstrip = true}}, "a <r>\t\u3000b") == "a |[1:<r>\t\u3000]|b");
  const std::vector<AddedToken> both = {{.id = 1, .content = "<m>", .lstrip = true, .rstrip = true}};
  CHECK(split(both, " <m> <m> ") == "[1: <m> ]|[1:<m> ]");  // the second finds its blank taken
}

TEST_CASE("a single_word token stands apart from word characters") {
  const std::vector<AddedToken> tokens = {{.id = 1, .content = "<w>", .single_word = true}};
  CHECK(split(tokens, "a <w>!") == "a |[1:<w>]|!");
  for (const char* text : {"a<w>", "<w>b", "_<w>", "\u00e9<w>", "<w>\u0301"})
    CHECK(split(tokens, text) == text);
}

TEST_CASE("special tokens are text unless they are asked for") {
  const std::vector<AddedToken> tokens = {{.id = 1, .content = "<s>", .special = true},
                                          {.id = 2, .content = "<t>"}};
  CHECK(split(tokens, "<s><t>", true) == "[1:<s>]|[2:<t>]");
  CHECK(split(tokens, "<s><t>", false) == "<s>|[2:<t>]");
}

TEST_CASE("a text without tokens is one part, an empty one none") {
  CHECK(split({}, "abc") == "abc");
  CHECK(split({{.id = 1, .content = "x"}}, "abc") == "abc");
  CHECK(split({{.id = 1, .content = "x"}}, "").empty());
}
