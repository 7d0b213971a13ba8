#include "solopo/backends/batch_metrics.hpp"

#include "catch.hpp"

using namespace solopo;

TEST_CASE("Metrics are means over all pairs taken in") {
  BatchMetrics m;
  PairMetrics p;
  p.has_chosen_reward = p.has_rejected_reward = true;
  p.reward_chosen = 1;
  p.reward_rejected = 3;
  m.add(10, p);
  p.reward_chosen = 5;
  m.add(20, p);
  CHECK(m.pairs == 2);
  CHECK(m.loss == 15);
  CHECK(m.rewards_chosen == 3);
  CHECK(m.rewards_rejected == 3);
  CHECK(m.rewards_accuracies == 0.5);
  CHECK(m.rewards_margins() == 0);
}

TEST_CASE("Joining metrics weighs them by their pairs") {
  BatchMetrics one, three;
  one.add(4, {});
  for (int i = 0; i < 3; ++i) three.add(8, {});
  one.add(three);
  CHECK(one.pairs == 4);
  CHECK(one.loss == 7);
  one.add(BatchMetrics{});
  CHECK(one.loss == 7);
}
