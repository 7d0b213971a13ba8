#include "solopo/train/metrics.hpp"

#include <limits>

#include "catch.hpp"
#include "solopo/io/jsonl.hpp"

using namespace solopo;

TEST_CASE("A metric keeps its place when it is set again") {
  Metrics metrics;
  metrics.set("loss", 1);
  metrics.set("grad_norm", 2);
  metrics.set("loss", 3);
  REQUIRE(metrics.entries().size() == 2);
  CHECK(metrics.entries()[0] == Metrics::Entry{"loss", 3});
  CHECK(metrics.find("grad_norm") == 2.0);
  CHECK_FALSE(metrics.find("other").has_value());
}

TEST_CASE("A metric that is not a number becomes null in a line that stays JSON and says so") {
  Metrics metrics;
  metrics.set("loss", std::numeric_limits<double>::quiet_NaN());
  metrics.set("grad_norm", 2);
  const std::string line = io::jsonl_line(metrics_json(metrics));
  const io::Json back = io::parse_json(line, "line", io::FileRole::data);
  CHECK(back["loss"].is_null());
  CHECK(back["nonfinite"] == true);
  CHECK(back["grad_norm"] == 2.0);
}
