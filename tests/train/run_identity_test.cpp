#include "solopo/train/run_identity.hpp"

#include "catch.hpp"

using namespace solopo;

TEST_CASE("Equal settings pass, in any order") {
  const RunIdentity a = {{"lr", "1"}, {"seed", "2"}}, b = {{"seed", "2"}, {"lr", "1"}};
  CHECK_NOTHROW(check_same_run(a, b, {}));
}

TEST_CASE("Every difference is listed, new and missing settings too") {
  try {
    check_same_run({{"lr", "1"}, {"beta", "2"}}, {{"lr", "3"}, {"gamma", "4"}}, {});
    FAIL("was accepted");
  } catch (const ResumeError& error) {
    CHECK(error.differences() ==
          std::vector<std::string>{"lr: was 1, is 3", "beta: was 2, is not set", "gamma: was not set, is 4"});
  }
}

TEST_CASE("An allowed setting may differ, a fixed one never") {
  const std::vector<std::string> allowed = {"lr", "seed"};
  CHECK_NOTHROW(check_same_run({{"lr", "1"}}, {{"lr", "3"}}, allowed));
  CHECK_THROWS_AS(check_same_run({{"seed", "1"}}, {{"seed", "3"}}, allowed), ResumeError);
}
