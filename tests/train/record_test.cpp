#include "solopo/train/record.hpp"

#include "catch.hpp"

using namespace solopo;

namespace {
constexpr Needs pair = Needs::chosen | Needs::rejected;
constexpr Needs dpo = pair | Needs::ref_chosen | Needs::ref_rejected;
constexpr Needs solo = dpo | Needs::chosen_long | Needs::ref_chosen_long;
}  // namespace

TEST_CASE("A context's name leads back to it") {
  for (const TrainContext context :
       {TrainContext::short_prompt, TrainContext::long_prompt, TrainContext::expand, TrainContext::longpo}) {
    CHECK(find_train_context(train_context_name(context)) == context);
  }
  CHECK_FALSE(find_train_context("both").has_value());
}

TEST_CASE("Which prompts are read follows from needs and context") {
  CHECK(reads_prompt(pair, TrainContext::short_prompt, false));
  CHECK_FALSE(reads_prompt(pair, TrainContext::short_prompt, true));
  CHECK_FALSE(reads_prompt(dpo, TrainContext::long_prompt, false));
  CHECK(reads_prompt(dpo, TrainContext::long_prompt, true));
  CHECK(reads_prompt(dpo, TrainContext::longpo, false));
  CHECK(reads_prompt(dpo, TrainContext::longpo, true));
  CHECK_FALSE(reads_prompt(pair, TrainContext::longpo, false));
  CHECK(reads_prompt(solo, TrainContext::short_prompt, true));
}

TEST_CASE("The reference runs every role of the policy, or none") {
  CHECK(roles_on(pair, Side::reference) == Needs::none);
  CHECK(roles_on(dpo, Side::reference) == pair);
  CHECK(roles_on(dpo | Needs::chosen_long, Side::reference) == (pair | Needs::chosen_long));
  CHECK(roles_on(solo, Side::policy) == (pair | Needs::chosen_long));
}
