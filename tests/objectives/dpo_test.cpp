#include "solopo/objectives/dpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("DPO is -ln sigmoid of beta times the difference of summed log-ratios") {
  const PairLoss<double> g = DPO{.beta = 0.5f}(simple_pair<double>());  // D = 1 - (-2) = 3, beta D = 1.5
  CHECK(g.loss == Approx(0.20141327798275246).epsilon(1e-14));
  CHECK(g.chosen == Approx(-0.5 * 0.18242552380635635).epsilon(1e-14));
  CHECK(g.rejected == -g.chosen);
  CHECK(g.chosen_long == 0);
  CHECK(g.rejected_long == 0);
}

TEST_CASE("DPO has a true gradient, honest needs, and agrees in float") {
  check_objective(DPO{.beta = 0.1f});
  check_objective(DPO{.beta = 0.5f, .label_smoothing = 0.2f});
}

TEST_CASE("DPO needs the reference and no long prompt") {
  CHECK(DPO::needs == (Needs::chosen | Needs::rejected | Needs::ref_chosen | Needs::ref_rejected));
}

TEST_CASE("DPO at margin 0 is ln 2") {
  CHECK(DPO{}(identical_pair<double>()).loss == Approx(0.69314718055994531).epsilon(1e-15));
  CHECK(DPO{.beta = 100.f}(identical_pair<float>()).loss == Approx(0.6931472f));
}

TEMPLATE_TEST_CASE("DPO is finite at margins of 10,000, with slopes -beta and 0", "", float, double) {
  Pair<TestType> p = simple_pair<TestType>();
  p.chosen.logp = TestType(-100'013);
  PairLoss<TestType> g = DPO{.beta = 0.1f}(p);
  CHECK(finite(g));
  CHECK(g.loss == Approx(9999.8));
  CHECK(g.chosen == Approx(-0.1));
  std::swap(p.chosen, p.rejected);
  g = DPO{.beta = 0.1f}(p);
  CHECK(g.loss == 0);
  CHECK(g.chosen == 0);
}

TEST_CASE("DPO with a tiny beta is ln 2 minus half the scaled margin, with a huge one a hinge at 0") {
  const Pair<double> p = simple_pair<double>();
  CHECK(DPO{.beta = 1e-6f}(p).loss == Approx(0.69314718055994531 - 0.5 * 3e-6).epsilon(1e-11));
  CHECK(DPO{.beta = 100.f}(p).loss == Approx(0).margin(1e-100));
  Pair<double> q = p;
  std::swap(q.chosen, q.rejected);
  CHECK(DPO{.beta = 100.f}(q).loss == 300);
}

TEST_CASE("Full label smoothing gives no preference at margin 0") {
  const PairLoss<double> g = DPO{.beta = 0.1f, .label_smoothing = 0.5f}(identical_pair<double>());
  CHECK(g.chosen == 0);
  CHECK(g.rejected == 0);
}
