#include "solopo/core/concepts.hpp"

#include <string>

#include "catch.hpp"
#include "solopo/alignment/distance.hpp"
#include "solopo/links/logistic.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/rewards/log_ratio.hpp"

using namespace solopo;

namespace {

struct FloatOnly {
  float value(float x) const noexcept { return x; }
  float slope(float) const noexcept { return 1; }
};
struct MayThrow {
  template <class T>
  T value(T x) const {
    return x;
  }
  template <class T>
  T slope(T) const {
    return 1;
  }
};
struct NotConvex {
  template <class T>
  T value(T x) const noexcept {
    return x * x * x;
  }
  template <class T>
  T slope(T x) const noexcept {
    return 3 * x * x;
  }
};
struct HoldsText : links::Logistic {
  std::string text;
};
struct NoNeeds {
  template <class T>
  PairLoss<T> operator()(const Pair<T>&) const noexcept {
    return {};
  }
};
struct NoReward : NoNeeds {
  static constexpr Needs needs = Needs::chosen;
};

}  // namespace

TEST_CASE("A link must work in float and in double, without throwing") {
  CHECK(Link<links::Logistic>);
  CHECK_FALSE(Link<FloatOnly>);
  CHECK_FALSE(Link<MayThrow>);
}

TEST_CASE("Convexity is declared, never assumed") {
  CHECK(ConvexLink<links::Logistic>);
  CHECK(Link<NotConvex>);
  CHECK_FALSE(ConvexLink<NotConvex>);
}

TEST_CASE("A convex link is a distance only when it says so") {
  CHECK(Distance<Absolute>);
  CHECK_FALSE(Distance<links::Logistic>);
}

TEST_CASE("A rule that owns memory is refused") { CHECK_FALSE(Link<HoldsText>); }

TEST_CASE("An objective must say what it needs, and a reward objective must have a reward") {
  CHECK(RewardObjective<DPO>);
  CHECK_FALSE(PreferenceObjective<NoNeeds>);
  CHECK(PreferenceObjective<NoReward>);
  CHECK_FALSE(RewardObjective<NoReward>);
  CHECK(ImplicitReward<rewards::LogRatio>);
  CHECK_FALSE(ImplicitReward<links::Logistic>);
}
