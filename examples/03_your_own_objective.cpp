// An objective of your own, twice: with its derivatives written by hand, and with dual numbers doing that.
// The rule is a logistic loss on the difference of mean log-probabilities that asks for a margin growing with
// the chosen length.
#include <cmath>
#include <cstdio>
#include <solopo/solopo.hpp>

// [snippet: by_hand]
struct LengthMarginPO {
  float beta = 2.0f, margin_per_token = 0.01f;
  static constexpr solopo::Needs needs = solopo::Needs::chosen | solopo::Needs::rejected;
  SOLOPO_HD solopo::rewards::MeanLogp reward() const noexcept { return {beta}; }
  template <class T>
  SOLOPO_HD solopo::PairLoss<T> operator()(const solopo::Pair<T>& p) const noexcept {
    const T z = reward().value(p.chosen) - reward().value(p.rejected) - T(margin_per_token) * p.chosen.length;
    const T slope = -solopo::sigmoid(-z);
    return {.loss = solopo::softplus(-z),
            .chosen = slope * reward().slope(p.chosen),
            .rejected = -slope * reward().slope(p.rejected)};
  }
};
static_assert(solopo::RewardObjective<LengthMarginPO>);
// [end]

// [snippet: by_dual_numbers]
struct LengthMarginLoss {
  float beta = 2.0f, margin_per_token = 0.01f;
  static constexpr solopo::Needs needs = solopo::Needs::chosen | solopo::Needs::rejected;
  SOLOPO_HD solopo::rewards::MeanLogp reward() const noexcept { return {beta}; }
  SOLOPO_HD auto operator()(auto p) const {
    const auto z = reward().value(p.chosen) - reward().value(p.rejected) - margin_per_token * p.chosen.length;
    return softplus(-z);
  }
};
using LengthMarginPO2 = solopo::Differentiated<LengthMarginLoss>;
// [end]

int main() {
  const solopo::Pair<double> pair{.chosen = {.logp = -12, .ref_logp = 0, .length = 8},
                                  .rejected = {.logp = -20, .ref_logp = 0, .length = 10},
                                  .chosen_long = {.logp = -16, .ref_logp = 0, .length = 8}};
  const solopo::SoLoPO<LengthMarginPO> by_hand{.alpha = 0.5f};
  const solopo::SoLoPO<LengthMarginPO2> by_dual{.alpha = 0.5f};
  const auto a = by_hand(pair), b = by_dual(pair);
  std::printf("by hand:         loss %.6f, chosen %.6f, rejected %.6f, chosen_long %.6f\n", a.loss, a.chosen,
              a.rejected, a.chosen_long);
  std::printf("by dual numbers: loss %.6f, chosen %.6f, rejected %.6f, chosen_long %.6f\n", b.loss, b.chosen,
              b.rejected, b.chosen_long);
  return std::abs(a.loss - b.loss) + std::abs(a.chosen - b.chosen) + std::abs(a.rejected - b.rejected) < 1e-12
             ? 0
             : 1;
}
