#include "solopo/objectives/pairwise.hpp"

#include "objective_checks.hpp"
#include "solopo/links/exponential.hpp"
#include "solopo/links/squared.hpp"
#include "solopo/rewards/log_ratio.hpp"
#include "solopo/rewards/mean_logp.hpp"

using namespace rule_checks;

namespace {

// An objective nobody ships: the exponential link on length-normalised rewards.
struct ExponentialPO {
  float beta = 1.0f, gamma = 0.25f;
  static constexpr Needs needs = pairwise_needs<rewards::MeanLogp>;
  rewards::MeanLogp reward() const noexcept { return {beta}; }
  template <class T>
  PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Exponential{}, reward(), p, T(gamma));
  }
};
static_assert(RewardObjective<ExponentialPO>);

}  // namespace

TEST_CASE("The chain rule holds for any link and reward") { check_objective(ExponentialPO{}); }

TEST_CASE("The margin is subtracted from the difference of rewards") {
  const links::Squared distance_to_1;
  const rewards::LogRatio reward{.beta = 1.f};
  CHECK(pairwise_loss(distance_to_1, reward, simple_pair<double>()).loss == 4);       // 3 - 1
  CHECK(pairwise_loss(distance_to_1, reward, simple_pair<double>(), 2.0).loss == 0);  // 3 - 2 - 1
}

TEST_CASE("Scaling scales the loss and every derivative") {
  const PairLoss<double> g = scaled(PairLoss<double>{1, 2, 3, 4, 5}, 2.0);
  CHECK(same(g, {2, 4, 6, 8, 10}));
}

TEST_CASE("The chosen response's NLL touches the chosen derivative alone") {
  const PairLoss<double> g = with_chosen_nll(PairLoss<double>{1, 2, 3, 4, 5}, simple_pair<double>());
  CHECK(same(g, {2.5, 1.875, 3, 4, 5}));
}

TEST_CASE("What a margin needs follows from its reward") {
  CHECK(pairwise_needs<rewards::MeanLogp> == (Needs::chosen | Needs::rejected));
  CHECK(needs_reference(pairwise_needs<rewards::LogRatio>));
}
