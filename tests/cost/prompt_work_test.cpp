#include "solopo/cost/prompt_work.hpp"

#include "catch.hpp"

using namespace solopo;
using namespace solopo::cost;

TEST_CASE("A prompt of 3 with responses of 2 and 1 is counted by hand") {
  const Count responses[] = {2, 1};
  const Work work = prompt_work(3, responses).differentiated;
  // Rows: 3 of the prompt, 1 of the first response (its last token has none), none of the second.
  CHECK(work.tokens == 4);
  // Pairs: 1 + 2 + 3, and the response's row sees the prompt and itself.
  CHECK(work.pairs == 6 + 4);
  CHECK(work.head_rows == 3);
  CHECK(prompt_work(3, responses).read == Work{});
}

TEST_CASE("Every token gets a row when asked, as the usual formula has it") {
  const Count responses[] = {2, 1};
  const Work work = prompt_work(3, responses, {.rows = Rows::every_token}).differentiated;
  CHECK(work == Work{.tokens = 6, .pairs = 6 + (4 + 5) + 4, .head_rows = 3});
}

TEST_CASE("The last layer skips all prompt rows but the one that predicts the first response token") {
  const Count responses[] = {2, 1};
  const Work needed = prompt_work(3, responses, {.skip_last_layer = true}).differentiated;
  CHECK(needed.last_layer_skipped_tokens == 2);
  CHECK(needed.last_layer_skipped_pairs == 3);
  const Work every =
      prompt_work(3, responses, {.rows = Rows::every_token, .skip_last_layer = true}).differentiated;
  CHECK(every.last_layer_skipped_tokens == 3);
  CHECK(every.last_layer_skipped_pairs == 6);
}

TEST_CASE("A response-only gradient reads the prompt before its last row and differentiates the rest") {
  const Count response[] = {3};
  const PromptWork work = response_only_work(4, response);
  CHECK(work.read == Work{.tokens = 3, .pairs = 1 + 2 + 3, .head_rows = 0});
  CHECK(work.differentiated == Work{.tokens = 3, .pairs = 4 + 5 + 6, .head_rows = 3});
  CHECK(work.read + work.differentiated == prompt_work(4, response).differentiated);
}

TEST_CASE("Nothing to read and nothing to score are refused by name") {
  const Count responses[] = {2, 0};
  CHECK_THROWS_WITH(prompt_work(3, responses), Catch::Contains("response"));
  const Count one[] = {1};
  CHECK_THROWS_WITH(prompt_work(0, one), Catch::Contains("prompt"));
  CHECK_THROWS_WITH(response_only_work(0, one), Catch::Contains("prompt"));
  CHECK_THROWS_WITH(prompt_work(Count(1) << 40, one), Catch::Contains("64 bits"));
}
