// DPO with a margin for how much better the chosen response is.
#pragma once

#include "solopo/core/option.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/pairwise.hpp"
#include "solopo/rewards/log_ratio.hpp"

namespace solopo {

// What the two scores make of a margin: the logarithm of their difference, the difference, or the logarithm
// of their ratio.
enum class ScoreOffset { log_difference, difference, log_ratio };
inline constexpr const char* score_offset_names[] = {"log_difference", "difference", "log_ratio"};

// -ln sigmoid(D - offset_weight offset), D = beta (log-ratio chosen - log-ratio rejected). arXiv 2402.10571,
// eq. 7 with f = ln. A difference or a score below 1e-6 counts as 1e-6, where the logarithm is still a
// margin.
struct ODPO {
  float beta = 0.1f;
  float offset_weight = 1.0f;
  ScoreOffset offset = ScoreOffset::log_difference;

  template <class Self, class Visit>
  static constexpr void each_option(Self& self, Visit&& visit) {
    visit("beta", self.beta, above(0.0f));
    visit("offset_weight", self.offset_weight, at_least(0.0f));
    visit("offset", self.offset, score_offset_names);
  }

  static constexpr Needs needs = pairwise_needs<rewards::LogRatio> | Needs::scores;
  SOLOPO_HD constexpr rewards::LogRatio reward() const noexcept { return {beta}; }

  template <class T>
  SOLOPO_HD PairLoss<T> operator()(const Pair<T>& p) const noexcept {
    return pairwise_loss(links::Logistic{}, reward(), p, T(offset_weight) * offset_of(p));
  }

 private:
  template <class T>
  SOLOPO_HD T offset_of(const Pair<T>& p) const noexcept {
    using std::log;
    const auto positive = [](T x) { return x > T(1e-6f) ? x : T(1e-6f); };
    const T difference = p.score_chosen - p.score_rejected;
    if (offset == ScoreOffset::difference) return difference;
    if (offset == ScoreOffset::log_difference) return log(positive(difference));
    return log(positive(p.score_chosen)) - log(positive(p.score_rejected));
  }
};

static_assert(RewardObjective<ODPO>);

}  // namespace solopo
