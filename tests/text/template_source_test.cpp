#include "solopo/text/template_source.hpp"

#include "catch.hpp"

using namespace solopo::text;

namespace {
// Text as it is, {=expression}, {statement}; "?" when the source is not understood.
std::string read(std::string_view source) {
  const auto parts = read_template(source);
  if (!parts) return "?";
  std::string out;
  for (const TemplatePart& part : *parts) {
    if (part.kind == TemplatePart::Kind::text) {
      out += part.source;
    } else {
      out += part.kind == TemplatePart::Kind::expression ? "{=" : "{";
      out += part.source;
      out += "}";
    }
  }
  return out;
}
}  // namespace

TEST_CASE("blanks, quotes and the form of members do not matter inside a tag") {
  CHECK(read("{{ message['role']+\"a\" }}") == read("{{message.role + 'a'}}"));
  CHECK(read("{% if  not x %}{%endif%}") == "{if not x}{endif}");
  CHECK(read("{{ 'a' + \"b\" + x + 'c' }}") == "{='ab'+x+'c'}");
  CHECK(read("{{ 'it\\'s' }}") == "{='it\\'s'}");
  CHECK(read("{{ '}} %}' }}") == "{='}} %}'}");
}

TEST_CASE("whitespace control and transformers' block trimming apply to the text between tags") {
  CHECK(read("{% a %}\n\n  {% b %}\nx") == "{a}\n{b}x");
  CHECK(read("{{ a }}\n{{ b }}") == "{=a}\n{=b}");
  CHECK(read("x \n {{- a -}} \n y") == "x{=a}y");
  CHECK(read("x  {% a %}") == "x  {a}");  // not at the start of a line
  CHECK(read("a{# note #}\nb") == "ab");
  CHECK(read("a\n") == "a");
}

TEST_CASE("branches that only tools reach are left out") {
  CHECK(read("{% if tools %}a{% if x %}b{% else %}c{% endif %}{% else %}d{% endif %}e") == "de");
  CHECK(read("{% if a %}1{% elif message.role == 'assistant' %}2{% elif message.role == 'tool' %}3{% endif "
             "%}") == "{if a}1{endif}");
  CHECK(read("{% if tools %}a{% endif %}") == "?");
  CHECK(read("{% if a %}1{% elif b %}2{% endif %}") == "{if a}1{elif b}2{endif}");
}

TEST_CASE("a broken or hostile source is refused, not followed") {
  for (const char* source : {"{{ a", "{% 'a %}", "{# a", "{{ 'a\\x41' }}", "{%+ if a %}", "{{", "{{ 'a\\"}) {
    CHECK(read(source) == "?");
  }
  std::string deep;
  for (int i = 0; i < 300000; ++i) deep += "{% if tools %}";
  CHECK(read(deep) == "?");
  CHECK(read("{{ range(10**9) }}") == "{=range(10**9)}");
  CHECK(read(std::string(1 << 20, '(')) == std::string(1 << 20, '('));
}
