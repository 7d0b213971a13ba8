#include "solopo/backends/pair_losses.hpp"

#include "objective_checks.hpp"
#include "solopo/objectives/cpo.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/ld_dpo.hpp"
#include "solopo/objectives/odpo.hpp"
#include "solopo/objectives/orpo.hpp"
#include "solopo/objectives/solopo.hpp"
#include "solopo/objectives/wpo.hpp"

using namespace rule_checks;
using Catch::Matchers::Contains;

namespace {

template <class T>
PairBatch<std::vector<T>> some_pairs(std::size_t n) {
  PairBatch<std::vector<T>> out;
  for (const Pair<double>& p : random_pairs(n)) {
    for (unsigned r = 0; r < role_count; ++r) {
      auto& role = out.*batch_detail::role_of_batch<std::vector<T>>[r];
      const Response<double>& y = p.*role_of_pair<double>[r];
      role.logp.push_back(T(y.logp));
      role.ref_logp.push_back(T(y.ref_logp));
      role.length.push_back(T(y.length));
      role.statistic.push_back(T(y.statistic));
      role.ref_statistic.push_back(T(y.ref_statistic));
    }
    out.score_chosen.push_back(T(p.score_chosen));
    out.score_rejected.push_back(T(p.score_rejected));
  }
  return out;
}

// At sizes around a vector's, all gradients are those of batch_loss() and the losses' mean is its loss.
template <class T, class O>
void check_against_batch_loss(const O& objective) {
  for (const std::size_t n : {1, 7, 8, 9, 67}) {
    const auto batch = some_pairs<T>(n);
    const auto expected = batch_loss(objective, batch);
    std::vector<T> loss(batch.chosen.logp.size()), g[role_count], by_statistic[role_count];
    PairLossSpans<T> out{loss};
    for (unsigned r = 0; r < role_count; ++r) {
      if (!has(O::needs, response_roles[r].response)) continue;
      g[r].resize(loss.size());
      if (!has(O::needs, Needs::statistic)) continue;
      by_statistic[r].resize(loss.size());
      out.by_statistic[r] = by_statistic[r];
    }
    out.chosen = g[0], out.rejected = g[1], out.chosen_long = g[2], out.rejected_long = g[3],
    out.third = g[4];
    pair_losses(objective, batch, out, T(1) / static_cast<T>(n));
    double sum = 0;
    for (const T x : loss) sum += static_cast<double>(x);
    const double tolerance = std::is_same_v<T, float> ? 2e-6 : 1e-14;
    CHECK(relative_error(sum / static_cast<double>(n), static_cast<double>(expected.loss), 1) <= tolerance);
    for (std::size_t i = 0; i < loss.size(); ++i) {
      CHECK(relative_error(g[0][i], static_cast<double>(expected.chosen[i]), 1) <= tolerance);
      if (!g[1].empty())
        CHECK(relative_error(g[1][i], static_cast<double>(expected.rejected[i]), 1) <= tolerance);
      if (!g[2].empty())
        CHECK(relative_error(g[2][i], static_cast<double>(expected.chosen_long[i]), 1) <= tolerance);
      for (unsigned r = 0; r < role_count; ++r)
        if (!by_statistic[r].empty())
          CHECK(relative_error(by_statistic[r][i], static_cast<double>(expected.by_statistic[r][i]), 1) <=
                tolerance);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("The losses of pairs are those of batch_loss(), around any vector's width", "", float,
                   double) {
  check_against_batch_loss<TestType>(DPO{});
  check_against_batch_loss<TestType>(ORPO{});
  check_against_batch_loss<TestType>(SoLoPO<DPO>{.alpha = 3.0f});
  check_against_batch_loss<TestType>(CPO{.nll = Nll::batch_tokens});
  check_against_batch_loss<TestType>(ODPO{});
  check_against_batch_loss<TestType>(LDDPO{.ld_alpha = 0.5f});
  check_against_batch_loss<TestType>(SoLoPO<WPO<>>{});
}

TEST_CASE("The losses of pairs read spans, and refuse what does not fit by name") {
  auto batch = some_pairs<float>(5);
  std::vector<float> loss(5), chosen(5), rejected(5), more(6);
  const PairLossSpans<float> out{loss, chosen, rejected};
  const auto spans = [&] {
    using S = std::span<const float>;
    const auto role = [](const auto& y) { return ResponseBatch<S>{y.logp, y.ref_logp, y.length}; };
    return PairBatch<S>{.chosen = role(batch.chosen), .rejected = role(batch.rejected)};
  };
  pair_losses(DPO{}, spans(), out);
  const std::vector<float> from_spans = loss;
  pair_losses(DPO{}, batch, out);
  CHECK(loss == from_spans);

  CHECK_THROWS_WITH(pair_losses(DPO{}, batch, {loss, chosen, more}),
                    Contains("out.rejected: has room for 6 results where the batch has 5 pairs"));
  CHECK_THROWS_WITH(pair_losses(DPO{}, batch, {loss, chosen}), Contains("out.rejected: has room for 0"));
  CHECK_THROWS_WITH(pair_losses(DPO{}, PairBatch<std::vector<float>>{}, out), Contains("holds no pairs"));
  batch.rejected.ref_logp.pop_back();
  CHECK_THROWS_WITH(pair_losses(DPO{}, batch, out),
                    Contains("rejected.ref_logp: has 4 entries where the batch has 5 pairs"));
}
