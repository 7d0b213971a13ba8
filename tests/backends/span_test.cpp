#include "solopo/backends/span.hpp"

#include "objective_checks.hpp"
#include "solopo/backends/batch_loss.hpp"
#include "solopo/objectives/simpo.hpp"

using namespace rule_checks;

TEST_CASE("Spans over foreign memory give what vectors give, in vectors") {
  const float logp[] = {-12, -16}, rejected[] = {-20, -22}, lengths[] = {8, 10};
  using Span = std::span<const float>;
  const PairBatch<Span> spans{.chosen = {.logp = logp, .length = lengths},
                              .rejected = {.logp = rejected, .length = lengths}};
  const PairBatch<std::vector<float>> vectors{.chosen = {{-12, -16}, {}, {8, 10}},
                                              .rejected = {{-20, -22}, {}, {8, 10}}};
  const BatchLoss<std::vector<float>> a = batch_loss(SimPO{}, spans), b = batch_loss(SimPO{}, vectors);
  CHECK(a.loss == b.loss);
  CHECK(a.chosen == b.chosen);
  CHECK(a.rejected == b.rejected);
}

TEST_CASE("Vectors of anything but float and double are no batch vectors") {
  CHECK(BatchVector<std::vector<double>>);
  CHECK(BatchVector<std::span<float>>);
  CHECK_FALSE(BatchVector<std::vector<int>>);
  CHECK_FALSE(BatchVector<float*>);
}
