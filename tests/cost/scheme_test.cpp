#include "solopo/cost/scheme.hpp"

#include <vector>

#include "catch.hpp"
#include "mask.hpp"
#include "solopo/cost/flops.hpp"
#include "solopo/cost/model_shapes.hpp"

using namespace solopo;
using namespace solopo::cost;

namespace {

// Every combination that exists, one pass each.
std::vector<Scheme> all_schemes() {
  std::vector<Scheme> out;
  for (const Sides sides : {Sides::pair_short, Sides::pair_long, Sides::solopo, Sides::solopo_both})
    for (const bool share : {false, true})
      for (const bool skip : {false, true})
        for (const LongGradient gradient : {LongGradient::full, LongGradient::response})
          for (const Rows rows : {Rows::needed, Rows::every_token}) {
            const bool two_sides = sides == Sides::solopo || sides == Sides::solopo_both;
            if (!two_sides && gradient == LongGradient::response) continue;
            out.push_back({.sides = sides,
                           .share_prefix = share,
                           .skip_last_layer = skip,
                           .long_gradient = gradient,
                           .rows = rows});
          }
  return out;
}

double cost_of(const RecordLengths& record, const Scheme& scheme) {
  return record_flops(find_model_shape("smollm2-135m"), record_work(record, scheme)).total();
}

constexpr RecordLengths paper{.prompt = 1024, .prompt_long = 8192, .chosen = 200, .rejected = 180};

}  // namespace

TEST_CASE("Every scheme's work is that of its rows and mask, written out one by one") {
  const RecordLengths records[] = {{5, 11, 4, 3}, {5, 11, 3, 4}, {1, 1, 1, 1}, {3, 3, 1, 6}, {4, 9, 2, 1}};
  std::size_t compared = 0;
  for (const RecordLengths& record : records)
    for (const Scheme& scheme : all_schemes()) {
      const auto rows = test::mask_rows(record, scheme);
      CAPTURE(record.prompt, record.prompt_long, static_cast<int>(scheme.sides), scheme.share_prefix,
              scheme.skip_last_layer, static_cast<int>(scheme.long_gradient), static_cast<int>(scheme.rows));
      const RecordWork work = record_work(record, scheme);
      CHECK(work.differentiated == test::count_rows(rows, [](const auto& r) { return r.gradient; }));
      CHECK(work.read == test::count_rows(rows, [](const auto& r) { return !r.gradient; }));
      CHECK(work.scored == test::count_rows(rows, [](const auto&) { return true; }));
      CHECK(work.peak_tokens == work.differentiated.tokens);
      CHECK(work.read_tokens == work.read.tokens);
      ++compared;
    }
  CHECK(compared == 5 * 48);
}

TEST_CASE("The schemes of the cost table have the work its formulas say") {
  const Count p = paper.prompt, P = paper.prompt_long, R = 200, n = p + R, N = P + R;
  const RecordLengths record{p, P, R, R};
  const auto work = [&](Sides sides, bool share) {
    return record_work(record, {.sides = sides, .share_prefix = share, .rows = Rows::every_token})
        .differentiated;
  };
  const auto pair = [&](Count q) { return triangle(q) + 2 * (R * q + triangle(R)); };
  CHECK(work(Sides::pair_long, false) == Work{2 * N, 2 * triangle(N), 2 * R});
  CHECK(work(Sides::pair_long, true) == Work{P + 2 * R, pair(P), 2 * R});
  CHECK(work(Sides::solopo, false) == Work{2 * n + N, 2 * triangle(n) + triangle(N), 3 * R});
  CHECK(work(Sides::solopo, true) == Work{p + 2 * R + N, pair(p) + triangle(N), 3 * R});
  CHECK(work(Sides::solopo_both, true) == Work{p + 2 * R + P + 2 * R, pair(p) + pair(P), 4 * R});
  const RecordWork response = record_work(record, {.sides = Sides::solopo,
                                                   .share_prefix = true,
                                                   .long_gradient = LongGradient::response,
                                                   .rows = Rows::every_token});
  CHECK(response.differentiated == Work{p + 2 * R + R, pair(p) + R * P + triangle(R), 3 * R});
  CHECK(response.read == Work{P, triangle(P), 0});
}

TEST_CASE("Sharing a prefix, skipping the last layer and a response-only gradient never cost more") {
  for (const RecordLengths& record : {paper, {10, 20, 1, 1}, {1, 4000, 300, 2}, {2000, 2000, 7, 900}})
    for (const Scheme& scheme : all_schemes()) {
      const double cost = cost_of(record, scheme);
      Scheme better = scheme;
      better.share_prefix = true;
      CHECK(cost_of(record, better) <= cost);
      better = scheme;
      better.skip_last_layer = true;
      CHECK(cost_of(record, better) <= cost);
      if (scheme.sides == Sides::solopo || scheme.sides == Sides::solopo_both) {
        better = scheme;
        better.long_gradient = LongGradient::response;
        CHECK(cost_of(record, better) <= cost);
      }
    }
}

TEST_CASE("Without compression SoLoPO is plain preference optimisation and one alignment more") {
  const RecordLengths same{.prompt = 3000, .prompt_long = 3000, .chosen = 150, .rejected = 90};
  const Count chosen[] = {same.chosen};
  for (const bool share : {false, true}) {
    const Work plain = record_work(same, {.sides = Sides::pair_long, .share_prefix = share}).differentiated;
    CHECK(record_work(same, {.sides = Sides::pair_short, .share_prefix = share}).differentiated == plain);
    CHECK(record_work(same, {.sides = Sides::solopo, .share_prefix = share}).differentiated ==
          plain + prompt_work(same.prompt, chosen).differentiated);
    CHECK(record_work(same, {.sides = Sides::solopo_both, .share_prefix = share}).differentiated ==
          plain + plain);
  }
}

TEST_CASE("A longer prompt or response never costs less") {
  for (const Scheme& scheme : all_schemes()) {
    const double cost = cost_of(paper, scheme);
    for (Count RecordLengths::*length : {&RecordLengths::prompt, &RecordLengths::prompt_long,
                                         &RecordLengths::chosen, &RecordLengths::rejected}) {
      RecordLengths longer = paper;
      longer.*length += 1;
      CHECK(cost_of(longer, scheme) >= cost);
    }
  }
}

TEST_CASE("Two passes that begin with the short side hold the longer side only, for one short forward more") {
  const Scheme one{.sides = Sides::solopo, .share_prefix = true};
  Scheme two = one;
  two.passes = Passes::short_side_first;
  const RecordWork whole = record_work(paper, one), split = record_work(paper, two);
  CHECK(split.differentiated == whole.differentiated);
  CHECK(split.read == record_work(paper, {.sides = Sides::pair_short, .share_prefix = true}).scored);
  CHECK(whole.peak_tokens == 1024 + 199 + 179 + 8192 + 199);
  CHECK(split.peak_tokens == 8192 + 199);
  // With every token a row: max(N, p + 2 R) of the usual formula.
  two.rows = Rows::every_token;
  CHECK(record_work({1024, 1100, 200, 200}, two).peak_tokens == 1024 + 400);
  CHECK(record_work({1024, 8192, 200, 200}, two).peak_tokens == 8392);
}

TEST_CASE("Everything twice holds the longest piece only, for one forward more") {
  const Scheme twice{.sides = Sides::pair_long, .passes = Passes::everything_twice};
  const RecordWork work = record_work(paper, twice);
  CHECK(work.read == work.scored);
  CHECK(work.peak_tokens == 8192 + 199);  // chosen, the longer response
  CHECK(record_work(paper, {.sides = Sides::pair_long}).peak_tokens == 2 * 8192 + 199 + 179);
}

TEST_CASE("A response-only gradient holds the responses' rows, and keys and values of the rest") {
  const RecordWork work = record_work(
      paper, {.sides = Sides::solopo, .share_prefix = true, .long_gradient = LongGradient::response});
  CHECK(work.peak_tokens == 1024 + 199 + 179 + 200);
  CHECK(work.read_tokens == 8191);
}

TEST_CASE("A head on all rows scores every row") {
  const RecordWork naive = record_work(
      {4, 6, 2, 2}, {.sides = Sides::pair_long, .head_on_all_rows = true, .rows = Rows::every_token});
  CHECK(naive.differentiated.head_rows == 16);
}

TEST_CASE("Combinations that do not exist are refused by name") {
  const auto refused = [](const Scheme& scheme, const char* name) {
    CHECK_THROWS_WITH(record_work(paper, scheme), Catch::Contains(name));
  };
  refused({.sides = Sides::pair_long, .long_gradient = LongGradient::response}, "long_gradient");
  refused({.sides = Sides::pair_long, .passes = Passes::short_side_first}, "passes");
  refused({.sides = Sides::solopo, .long_gradient = LongGradient::response, .head_on_all_rows = true},
          "head_on_all_rows");
  refused({.sides = Sides::solopo, .skip_last_layer = true, .head_on_all_rows = true}, "head_on_all_rows");
  CHECK_THROWS_WITH(record_work({0, 8, 2, 2}, {.sides = Sides::solopo}), Catch::Contains("prompt"));
  CHECK_NOTHROW(record_work({0, 8, 2, 2}, {.sides = Sides::pair_long}));  // does not read the short prompt
}
