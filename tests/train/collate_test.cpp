#include "solopo/train/collate.hpp"

#include "catch.hpp"
#include "solopo/objectives/registry.hpp"

using namespace solopo;

namespace {

PreferenceRecord record() {
  return {.id = "a",
          .prompt = {1, 2, 3},
          .prompt_long = {4, 5, 6, 7, 8},
          .chosen = {9, 10},
          .rejected = {11, 12, 13},
          .third = {13},
          .score_chosen = 0,
          .score_rejected = 0,
          .label = 0,
          .sampled_from = SampledFrom::short_prompt,
          .gold_chosen = false};
}

Needs needs_of_name(const char* name) { return make_objective(name).needs(); }

}  // namespace

TEST_CASE("Plain DPO lays out the short prompt once and never touches the long one") {
  PreferenceRecord r = record();
  r.prompt_long.clear();  // would throw if it were read
  const Collated c = collate(r, {.needs = needs_of_name("dpo")}, Side::policy);
  CHECK(c.responses == std::array<std::int32_t, role_count>{0, 1, -1, -1, -1});
  CHECK(c.sequences.responses == 2);
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12});
}

TEST_CASE(
    "SoLoPO adds the chosen response under the long prompt, and the rejected one only when both are "
    "aligned") {
  const Collated chosen = collate(record(), {.needs = needs_of_name("solopo:dpo")}, Side::policy);
  CHECK(chosen.responses == std::array<std::int32_t, role_count>{0, 1, 2, -1, -1});
  CHECK(chosen.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12, 4, 5, 6, 7, 8, 9});
  const Needs both = make_objective("solopo:dpo", {{"scope", "both"}}).needs();
  CHECK(collate(record(), {.needs = both}, Side::policy).responses ==
        std::array<std::int32_t, role_count>{0, 1, 2, 3, -1});
}

TEST_CASE("Without sharing every response has its own prompt") {
  const Collated c = collate(record(), {.needs = needs_of_name("dpo"), .share_prefix = false}, Side::policy);
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 1, 2, 3, 11, 12});
}

TEST_CASE("A third response continues the prompt of the other two") {
  const Collated c = collate(record(), {.needs = needs_of_name("logo")}, Side::policy);
  CHECK(c.responses == std::array<std::int32_t, role_count>{0, 1, -1, -1, 2});
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12});
  const Collated kto = collate(record(), {.needs = needs_of_name("solopo:kto")}, Side::reference);
  CHECK(kto.responses == std::array<std::int32_t, role_count>{0, -1, 2, -1, 1});
}

TEST_CASE("SFT lays out the chosen response only") {
  PreferenceRecord r = record();
  r.rejected.clear();
  CHECK(collate(r, {.needs = needs_of_name("sft")}, Side::policy).responses ==
        std::array<std::int32_t, role_count>{0, -1, -1, -1, -1});
}

TEST_CASE("Long-PO, Expand-Long and LongPO read the long prompt; LongPO's reference reads the short one") {
  const Needs needs = needs_of_name("dpo");
  const std::vector<std::int32_t> on_long = {4, 5, 6, 7, 8, 9, 11, 12}, on_short = {1, 2, 3, 9, 11, 12};
  for (const TrainContext context : {TrainContext::long_prompt, TrainContext::expand, TrainContext::longpo}) {
    CHECK(collate(record(), {.needs = needs, .context = context}, Side::policy).sequences.tokens == on_long);
    CHECK(collate(record(), {.needs = needs, .context = context}, Side::reference).sequences.tokens ==
          (context == TrainContext::longpo ? on_short : on_long));
  }
}

TEST_CASE("The reference runs the policy's own layout, or nothing when the objective needs none") {
  const Needs needs = needs_of_name("solopo:dpo");
  const Collated policy = collate(record(), {.needs = needs}, Side::policy);
  const Collated reference = collate(record(), {.needs = needs}, Side::reference);
  CHECK(policy.sequences.tokens == reference.sequences.tokens);
  CHECK(policy.responses == reference.responses);
  CHECK(collate(record(), {.needs = needs_of_name("orpo")}, Side::reference).sequences.responses == 0);
}

TEST_CASE("A prompt that is needed and empty is refused") {
  PreferenceRecord r = record();
  r.prompt_long.clear();
  CHECK_THROWS_AS(collate(r, {.needs = needs_of_name("solopo:dpo")}, Side::policy), ArgumentError);
}
