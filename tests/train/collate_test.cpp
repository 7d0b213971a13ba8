#include "solopo/train/collate.hpp"

#include "catch.hpp"
#include "solopo/model/computed_rows.hpp"
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

// The index of the n-th part of each role, -1 where there is none.
std::array<std::int32_t, role_count> parts(const Collated& c, int n = 0) {
  std::array<std::int32_t, role_count> out, seen{};
  out.fill(-1);
  for (const ResponsePart& part : c.parts) {
    if (seen[part.role]++ == n) out[part.role] = static_cast<std::int32_t>(part.index);
  }
  return out;
}

}  // namespace

TEST_CASE("Plain DPO lays out the short prompt once and never touches the long one") {
  PreferenceRecord r = record();
  r.prompt_long.clear();  // would throw if it were read
  const Collated c = collate(r, {.needs = needs_of_name("dpo")}, Side::policy);
  CHECK(parts(c) == std::array<std::int32_t, role_count>{0, 1, -1, -1, -1});
  CHECK(c.sequences.responses == 2);
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12});
}

TEST_CASE(
    "SoLoPO adds the chosen response under the long prompt, and the rejected one only when both are "
    "aligned") {
  const Collated chosen = collate(record(), {.needs = needs_of_name("solopo:dpo")}, Side::policy);
  CHECK(parts(chosen) == std::array<std::int32_t, role_count>{0, 1, 2, -1, -1});
  CHECK(chosen.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12, 4, 5, 6, 7, 8, 9});
  const Needs both = make_objective("solopo:dpo", {{"scope", "both"}}).needs();
  CHECK(parts(collate(record(), {.needs = both}, Side::policy)) ==
        std::array<std::int32_t, role_count>{0, 1, 2, 3, -1});
}

TEST_CASE("Without sharing every response has its own prompt") {
  const Collated c = collate(record(), {.needs = needs_of_name("dpo"), .share_prefix = false}, Side::policy);
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 1, 2, 3, 11, 12});
}

TEST_CASE("A third response continues the prompt of the other two") {
  const Collated c = collate(record(), {.needs = needs_of_name("logo")}, Side::policy);
  CHECK(parts(c) == std::array<std::int32_t, role_count>{0, 1, -1, -1, 2});
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12});
  const Collated kto = collate(record(), {.needs = needs_of_name("solopo:kto")}, Side::reference);
  CHECK(parts(kto) == std::array<std::int32_t, role_count>{0, -1, 2, -1, 1});
}

TEST_CASE("A response longer than its pair's shorter one is split there, where the objective reads heads") {
  const AnyObjective objective = make_objective("ld-dpo");
  PreferenceRecord r = record();
  r.chosen = {9, 10};
  const Collated whole = collate(r, {.needs = objective.needs()}, Side::policy);
  const Collated c =
      collate(r, {.needs = objective.needs(), .statistic = objective.statistic()}, Side::policy);
  CHECK(c.sequences.tokens == whole.sequences.tokens);
  CHECK(whole.sequences.responses == 2);
  CHECK(c.sequences.responses == 3);
  CHECK(parts(c) == std::array<std::int32_t, role_count>{0, 1, -1, -1, -1});
  CHECK(parts(c, 1) == std::array<std::int32_t, role_count>{-1, 2, -1, -1, -1});
  for (const ResponsePart& part : c.parts) CHECK(part.is_statistic == (part.index < 2));
  CHECK(c.parts[1].tokens + c.parts[2].tokens == 3);
  std::vector<std::int32_t> owners;
  for (const HeadTarget& target : c.sequences.targets) owners.push_back(target.response);
  CHECK(owners == std::vector<std::int32_t>{0, 0, 1, 1, 2});
}

TEST_CASE(
    "LongPO's language model scores the long prompt and the chosen response, on the policy's side only") {
  const AnyObjective objective = make_objective("longpo");
  const CollateOptions options = collate_options(objective, TrainContext::longpo);
  const Collated c = collate(record(), options, Side::policy);
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{4, 5, 6, 7, 8, 9, 11, 12});
  CHECK(parts(c) == std::array<std::int32_t, role_count>{0, 1, -1, -1, 0});
  CHECK(parts(c, 1) == std::array<std::int32_t, role_count>{-1, -1, -1, -1, 2});
  std::vector<std::int32_t> rows, tokens;
  for (const HeadTarget& target : c.sequences.targets) {
    if (target.response != 2) continue;
    rows.push_back(target.row);
    tokens.push_back(target.token);
  }
  CHECK(rows == std::vector<std::int32_t>{0, 1, 2, 3});
  CHECK(tokens == std::vector<std::int32_t>{5, 6, 7, 8});
  std::size_t scored = 0;
  for (const ResponsePart& part : c.parts) scored += part.role == role_count - 1 ? part.tokens : 0;
  CHECK(scored == 6);  // all of the sequence's 7 tokens but the first
  CHECK(parts(collate(record(), options, Side::reference)) ==
        std::array<std::int32_t, role_count>{0, 1, -1, -1, -1});
  // Under the same prompt both sides compute the same rows, and so the same bits.
  const CollateOptions same = collate_options(objective, TrainContext::long_prompt);
  CHECK(scored_rows(collate(record(), same, Side::policy).sequences).runs ==
        scored_rows(collate(record(), same, Side::reference).sequences).runs);
  PreferenceRecord one = record();
  one.prompt_long = {4};  // nothing of the prompt is predicted
  CHECK(collate(one, options, Side::policy).sequences.responses == 2);
}

TEST_CASE("SFT lays out the chosen response only") {
  PreferenceRecord r = record();
  r.rejected.clear();
  CHECK(parts(collate(r, {.needs = needs_of_name("sft")}, Side::policy)) ==
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
  CHECK(parts(policy) == parts(reference));
  CHECK(collate(record(), {.needs = needs_of_name("orpo")}, Side::reference).sequences.responses == 0);
}

TEST_CASE("A prompt that is needed and empty is refused") {
  PreferenceRecord r = record();
  r.prompt_long.clear();
  CHECK_THROWS_AS(collate(r, {.needs = needs_of_name("solopo:dpo")}, Side::policy), ArgumentError);
}

TEST_CASE(
    "Under a response-only gradient the long prompt is read but for its last token, the short one is not") {
  const Needs needs = make_objective("solopo:dpo", {{"scope", "both"}}).needs();
  const CollateOptions options{.needs = needs, .long_gradient = LongGradient::response};
  const Collated c = collate(record(), options, Side::policy);
  CHECK(parts(c) == std::array<std::int32_t, role_count>{0, 1, 2, 3, -1});
  CHECK(c.sequences.read_tokens == std::vector<std::int32_t>{4, 5, 6, 7});
  CHECK(c.sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12, 8, 9, 11, 12});
  CHECK(c.sequences.positions == std::vector<std::int32_t>{0, 1, 2, 3, 3, 4, 4, 5, 5, 6});
  CollateOptions apart = options;
  apart.share_prefix = false;
  CHECK(collate(record(), apart, Side::policy).sequences.read_ends == std::vector<std::int32_t>{4, 8});
  // An objective on one prompt has no long side, whichever prompt that is.
  const CollateOptions plain{.needs = needs_of_name("dpo"),
                             .context = TrainContext::long_prompt,
                             .long_gradient = LongGradient::response};
  CHECK(collate(record(), plain, Side::policy).sequences.read_tokens.empty());
}

TEST_CASE("Two passes are the short side and the long side, each with its own responses") {
  const CollateOptions options{.needs = needs_of_name("solopo:dpo"), .passes = Passes::short_side_first};
  const std::vector<Collated> batches = collate_passes(record(), options, Side::policy);
  REQUIRE(batches.size() == 2);
  CHECK(parts(batches[0]) == std::array<std::int32_t, role_count>{0, 1, -1, -1, -1});
  CHECK(batches[0].sequences.tokens == std::vector<std::int32_t>{1, 2, 3, 9, 11, 12});
  CHECK(parts(batches[1]) == std::array<std::int32_t, role_count>{-1, -1, 0, -1, -1});
  CHECK(batches[1].sequences.tokens == std::vector<std::int32_t>{4, 5, 6, 7, 8, 9});
  CHECK(collate_passes(record(), {.needs = needs_of_name("dpo")}, Side::policy).size() == 1);
}
