// The table of predicted costs that docs/cost_model.md shows, every number to its printed digits: FLOPs over
// those of vanilla Long-PO, short prompt 1024, responses 200, every token a row.
#include "solopo/cost/named_schemes.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "solopo/cost/flops.hpp"
#include "solopo/cost/model_shapes.hpp"

using namespace solopo;
using namespace solopo::cost;

namespace {

struct Table {
  const ModelShape& shape;
  RecordLengths record;

  // Every token a row, nothing computed twice.
  [[nodiscard]] double flops(const char* name) const {
    NamedScheme named = find_scheme(name);
    named.scheme.rows = Rows::every_token;
    return record_flops(shape, record_work(record, named.scheme), {.reference = named.reference}).total();
  }
  [[nodiscard]] double over(const char* name, const char* base) const { return flops(name) / flops(base); }
};

Table table(const char* model, Count prompt_long) {
  return {find_model_shape(model), {1024, prompt_long, 200, 200}};
}

// Whether a ratio rounds to what is printed with this many digits behind the point.
bool prints_as(double ratio, double printed, int digits) {
  const double unit = std::pow(10.0, digits);
  return std::lround(ratio * unit) == std::lround(printed * unit);
}

}  // namespace

TEST_CASE("The predicted table comes out to its printed digits") {
  const std::vector<const char*> columns = {"V, naive head", "V+PS",    "S",        "S+PS",
                                            "S2+PS",         "V+PS+LL", "S+PS+LL",  "S+PS, two passes",
                                            "V, ref",        "S, ref",  "S+PS, ref"};
  struct Row {
    const char* model;
    Count prompt_long;
    double printed[11];
  };
  const Row rows[] = {
      {"smollm2-135m", 4096, {1.139, .536, .699, .621, .657, .522, .604, .660, 1.31, .919, .816}},
      {"smollm2-135m", 8192, {1.100, .520, .572, .544, .564, .505, .527, .558, 1.30, .747, .710}},
      {"smollm2-135m", 16384, {1.063, .511, .523, .514, .525, .495, .497, .518, 1.30, .679, .667}},
      {"qwen2.5-7b", 4096, {1.074, .527, .773, .661, .687, .510, .640, .714, 1.33, 1.03, .879}},
      {"qwen2.5-7b", 8192, {1.071, .514, .631, .577, .591, .497, .558, .603, 1.33, .838, .766}},
      {"qwen2.5-7b", 16384, {1.064, .508, .559, .535, .542, .490, .516, .546, 1.32, .740, .707}},
  };
  for (const Row& row : rows)
    for (std::size_t c = 0; c < columns.size(); ++c) {
      CAPTURE(row.model, row.prompt_long, columns[c]);
      const double ratio = table(row.model, row.prompt_long).over(columns[c], "V");
      CAPTURE(ratio, row.printed[c]);
      // With a reference, ratios above 1 are printed with two digits, all else with three.
      CHECK(prints_as(ratio, row.printed[c], c >= 8 && row.printed[c] > 1 ? 2 : 3));
    }
}

TEST_CASE("Against Long-PO that shares its prefix, SoLoPO wins only with the response-only gradient") {
  struct Row {
    const char* model;
    Count prompt_long;
    double shared, response_only;  // over Long-PO with a shared prefix
  };
  const Row rows[] = {
      {"smollm2-135m", 2048, 1.40, .88}, {"smollm2-135m", 4096, 1.16, .56},
      {"smollm2-135m", 8192, 1.04, .40}, {"smollm2-135m", 16384, 1.01, .33},
      {"qwen2.5-7b", 2048, 1.49, .94},   {"qwen2.5-7b", 4096, 1.25, .65},
      {"qwen2.5-7b", 8192, 1.12, .49},   {"qwen2.5-7b", 16384, 1.05, .40},
  };
  for (const Row& row : rows) {
    CAPTURE(row.model, row.prompt_long);
    const Table t = table(row.model, row.prompt_long);
    CHECK(prints_as(t.over("S+PS", "V+PS"), row.shared, 2));
    CHECK(prints_as(t.over("S+PS+RO", "V+PS"), row.response_only, 2));
  }
  CHECK(prints_as(table("smollm2-135m", 32768).over("S+PS", "V+PS"), 1.00, 2));
  CHECK(prints_as(table("qwen2.5-7b", 32768).over("S+PS", "V+PS"), 1.02, 2));
}

TEST_CASE("The best stack against DPO with a head on all rows and a reference every step: 2.2 to 2.7 times") {
  double least = 100, most = 0;
  for (const char* model : {"smollm2-135m", "qwen2.5-7b"})
    for (const Count prompt_long : {4096, 8192, 16384}) {
      const Table t = table(model, prompt_long);
      // The reference scores the rows of the responses.
      const double usual = t.flops("V, naive head") + t.flops("V, ref") - t.flops("V");
      least = std::min(least, usual / t.flops("S+PS+LL"));
      most = std::max(most, usual / t.flops("S+PS+LL"));
    }
  CHECK(prints_as(least, 2.2, 1));
  CHECK(prints_as(most, 2.7, 1));
}

TEST_CASE("A scheme that is not there is refused by name, and every one that is there can be counted") {
  CHECK_THROWS_WITH(find_scheme("X+PS"), Catch::Contains("X+PS"));
  for (const NamedScheme& named : named_schemes)
    CHECK(record_work({4, 9, 2, 3}, named.scheme).differentiated.tokens > 0);
}
