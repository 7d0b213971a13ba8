#include "solopo/text/token_index.hpp"

#include "catch.hpp"

using solopo::text::TokenIndex;

TEST_CASE("an index finds what was put in and nothing else") {
  std::vector<std::string> strings;
  for (int i = 0; i < 1000; ++i) strings.push_back("token " + std::to_string(i));
  TokenIndex index(strings.size());
  for (std::int32_t i = 0; i < 1000; ++i) CHECK(index.insert(strings, i));
  for (std::int32_t i = 0; i < 1000; ++i)
    CHECK(index.find(strings, strings[static_cast<std::size_t>(i)]) == i);
  CHECK_FALSE(index.find(strings, "token 1000"));
  CHECK_FALSE(index.find(strings, ""));
  CHECK_FALSE(TokenIndex().find(strings, "token 1"));
}

TEST_CASE("an equal string is not put in twice") {
  const std::vector<std::string> strings = {"a", "b", "a"};
  TokenIndex index(strings.size());
  CHECK(index.insert(strings, 0));
  CHECK(index.insert(strings, 1));
  CHECK_FALSE(index.insert(strings, 2));
  CHECK(index.find(strings, "a") == 0);
}
