#include "solopo/backends/eigen.hpp"

#include "objective_checks.hpp"
#include "solopo/backends/batch_loss.hpp"
#include "solopo/backends/response_logps.hpp"
#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/solopo.hpp"

using namespace rule_checks;

namespace {
template <class V>
V of(std::initializer_list<double> values) {
  V v(static_cast<Eigen::Index>(values.size()));
  Eigen::Index i = 0;
  for (const double x : values) v(i++) = static_cast<typename V::Scalar>(x);
  return v;
}
}  // namespace

TEMPLATE_TEST_CASE("Eigen vectors and arrays give what std::vector gives", "", Eigen::VectorXf,
                   Eigen::RowVectorXd, Eigen::ArrayXf, Eigen::ArrayXd) {
  using V = TestType;
  using T = typename V::Scalar;
  const PairBatch<V> eigen{.chosen = {of<V>({-12, -3}), of<V>({-13, -4}), of<V>({8, 2})},
                           .rejected = {of<V>({-20, -7}), of<V>({-18, -5}), of<V>({10, 3})},
                           .chosen_long = {of<V>({-16, -5}), of<V>({-15, -4}), of<V>({8, 2})}};
  const PairBatch<std::vector<T>> plain{.chosen = {{-12, -3}, {-13, -4}, {8, 2}},
                                        .rejected = {{-20, -7}, {-18, -5}, {10, 3}},
                                        .chosen_long = {{-16, -5}, {-15, -4}, {8, 2}}};
  const BatchLoss<V> a = batch_loss(SoLoPO<DPO>{}, eigen);
  const auto b = batch_loss(SoLoPO<DPO>{}, plain);
  CHECK(a.loss == b.loss);
  CHECK(a.rejected_long.size() == 0);
  for (int i = 0; i < 2; ++i) {
    CHECK(a.chosen(i) == b.chosen[static_cast<std::size_t>(i)]);
    CHECK(a.rejected(i) == b.rejected[static_cast<std::size_t>(i)]);
    CHECK(a.chosen_long(i) == b.chosen_long[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("Maps and Refs of Eigen are batch vectors, matrices are not") {
  CHECK(BatchVector<Eigen::Map<const Eigen::VectorXf>>);
  CHECK(BatchVector<Eigen::Ref<const Eigen::ArrayXd>>);
  CHECK_FALSE(BatchVector<Eigen::MatrixXf>);
  CHECK_FALSE(BatchVector<Eigen::VectorXi>);
  const float tokens[] = {-1, -2, -3};
  const Eigen::Map<const Eigen::VectorXf> map(tokens, 3);
  const std::size_t offsets[] = {0, 2, 3};
  const Eigen::VectorXf sums = response_logps(map, offsets);
  CHECK(sums(0) == -3);
  CHECK(sums(1) == -3);
}
