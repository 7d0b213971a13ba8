#include "solopo/objectives/aot.hpp"

#include <algorithm>

#include "coupled_checks.hpp"
#include "solopo/objectives/dpo.hpp"

using namespace rule_checks;

TEST_CASE("A batch of one pair is DPO") {
  for (const Pair<double>& p : random_pairs(10)) {
    const PairLoss<double> dpo = DPO{.beta = 0.3f, .label_smoothing = 0.1f}(p);
    for (const PairLoss<double>& g :
         {losses_of(AOT{{.beta = 0.3f, .label_smoothing = 0.1f}}, {p}, {})[0],
          losses_of(AOTUnpaired{{.beta = 0.3f, .label_smoothing = 0.1f}}, {p}, {})[0]}) {
      CHECK(g.loss == Approx(dpo.loss).epsilon(1e-13));
      CHECK(g.chosen == Approx(dpo.chosen).epsilon(1e-13));
      CHECK(g.rejected == Approx(dpo.rejected).epsilon(1e-13));
    }
  }
}

TEST_CASE("AOT compares what has the same rank, so the reference's order does not matter") {
  std::vector<Pair<double>> pairs = random_pairs(6, 8);
  // Margins so close that policy and reference rank the pairs differently.
  for (Pair<double>& p : pairs) {
    p.chosen.logp = p.rejected.logp + (p.chosen.logp - p.rejected.logp) / 20;
    p.chosen.ref_logp = p.rejected.ref_logp - 3 + p.score_rejected;
  }
  const auto mean = [](const std::vector<PairLoss<double>>& losses) {
    double sum = 0;
    for (const PairLoss<double>& g : losses) sum += g.loss;
    return sum / static_cast<double>(losses.size());
  };
  const double before = mean(losses_of(AOT{}, pairs, {}));
  const double elementwise = [&] {
    double sum = 0;
    for (const Pair<double>& p : pairs) sum += DPO{}(p).loss / 6;
    return sum;
  }();
  CHECK(std::abs(before - elementwise) > 1e-4);
  for (std::size_t i = 0; i < 3; ++i) {
    std::swap(pairs[i].chosen.ref_logp, pairs[5 - i].chosen.ref_logp);
    std::swap(pairs[i].rejected.ref_logp, pairs[5 - i].rejected.ref_logp);
  }
  CHECK(mean(losses_of(AOT{}, pairs, {})) == Approx(before).epsilon(1e-13));
  // Unpaired: rejected responses may change places among the pairs.
  const double unpaired = mean(losses_of(AOTUnpaired{}, pairs, {}));
  std::swap(pairs[0].rejected, pairs[4].rejected);
  CHECK(mean(losses_of(AOTUnpaired{}, pairs, {})) == Approx(unpaired).epsilon(1e-13));
}

TEST_CASE("AOT has a true gradient, honest needs, and agrees in float") {
  check_coupled(AOT{}, random_pairs(8, 41), {});
  check_coupled(AOT{{.beta = 0.6f, .label_smoothing = 0.2f}}, random_pairs(5, 42), {});
  check_coupled(AOTUnpaired{}, random_pairs(8, 43), {});
  check_coupled(AOTUnpaired{{.beta = 0.6f, .label_smoothing = 0.2f}}, random_pairs(5, 44), {});
}
