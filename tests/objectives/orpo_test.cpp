#include "solopo/objectives/orpo.hpp"

#include "objective_checks.hpp"

using namespace rule_checks;

TEST_CASE("ORPO is the chosen response's NLL a token plus lambda times the odds-ratio loss") {
  const PairLoss<double> g = ORPO{.lambda = 0.1f}(simple_pair<double>());  // means -1.5 and -2
  const double odds = (-1.5 - std::log(1 - std::exp(-1.5))) - (-2 - std::log(1 - std::exp(-2.0)));
  CHECK(g.loss == Approx(1.5 + double(0.1f) * std::log(1 + std::exp(-odds))).epsilon(1e-13));
}

TEST_CASE("ORPO without lambda is supervised fine-tuning of the chosen response") {
  const PairLoss<double> g = ORPO{.lambda = 0.f}(simple_pair<double>());
  CHECK(g.loss == 1.5);
  CHECK(g.chosen == -1.0 / 8);
  CHECK(g.rejected == 0);
}

TEST_CASE("ORPO has a true gradient, honest needs, and agrees in float") {
  check_objective(ORPO{.lambda = 0.1f});
  check_objective(ORPO{.lambda = 2.f});
}

TEST_CASE("ORPO needs no reference") { CHECK_FALSE(needs_reference(ORPO::needs)); }

TEST_CASE("The odds-ratio part of ORPO vanishes from the sum of gradients for identical responses") {
  const PairLoss<double> g = ORPO{.lambda = 1.f}(identical_pair<double>());
  CHECK(g.loss == Approx(1.5 + 0.69314718055994531).epsilon(1e-15));
  CHECK(g.chosen + g.rejected == Approx(-1.0 / 8).epsilon(1e-15));
}

TEMPLATE_TEST_CASE("ORPO is finite when likelihoods reach 1 on either or both sides", "", float, double) {
  using T = TestType;
  for (const T chosen : {T(0), T(-1e-7), T(1e-7), T(-1), T(-1e4)}) {
    for (const T rejected : {T(0), T(-1e-7), T(1e-7), T(-1), T(-1e4)}) {
      Pair<T> p = simple_pair<T>();
      p.chosen.logp = chosen;
      p.rejected.logp = rejected;
      CHECK(finite(ORPO{}(p)));
    }
  }
  Pair<T> p = simple_pair<T>();
  p.chosen.logp = p.rejected.logp = T(0);
  CHECK(ORPO{.lambda = 1.f}(p).loss == Approx(0.6931472));
}

TEST_CASE("ORPO logs lambda times the mean log-probability and keeps the log-odds as its reward") {
  const ORPO orpo{.lambda = 0.5f};
  const Response<double> y = simple_pair<double>().chosen;
  CHECK(orpo.logged_reward().value(y) == -0.75);
  CHECK(orpo.reward().value(y) == Approx(-1.5 - std::log(1 - std::exp(-1.5))));
}
