#include "solopo/backends/xtensor.hpp"

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>

#include "objective_checks.hpp"
#include "solopo/backends/batch_loss.hpp"
#include "solopo/objectives/simpo.hpp"

using namespace rule_checks;
using Catch::Matchers::Contains;

TEST_CASE("xtensor's tensors and arrays give what std::vector gives") {
  const PairBatch<std::vector<double>> plain{.chosen = {{-12, -3}, {}, {8, 2}},
                                             .rejected = {{-20, -7}, {}, {10, 3}}};
  const PairBatch<xt::xtensor<double, 1>> tensors{.chosen = {{-12, -3}, {}, {8, 2}},
                                                  .rejected = {{-20, -7}, {}, {10, 3}}};
  const PairBatch<xt::xarray<double>> arrays{.chosen = {{-12, -3}, {}, {8, 2}},
                                             .rejected = {{-20, -7}, {}, {10, 3}}};
  const auto expected = batch_loss(SimPO{}, plain);
  const auto check = [&](const BatchLoss<xt::xtensor<double, 1>>& out) {
    CHECK(out.loss == expected.loss);
    CHECK(out.chosen_long.size() == 0);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(out.chosen(i) == expected.chosen[i]);
      CHECK(out.rejected(i) == expected.rejected[i]);
    }
  };
  check(batch_loss(SimPO{}, tensors));
  check(batch_loss(SimPO{}, arrays));
}

TEST_CASE("An xtensor of two dimensions is refused when it comes") {
  PairBatch<xt::xarray<double>> batch{.chosen = {xt::ones<double>({2, 2}), {}, xt::ones<double>({4})},
                                      .rejected = {xt::ones<double>({4}), {}, xt::ones<double>({4})}};
  CHECK_THROWS_WITH(batch_loss(SimPO{}, batch), Contains("2 dimensions"));
}
