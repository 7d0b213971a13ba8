#include "solopo/kernels/square_root.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "solopo/core/random.hpp"

using namespace solopo;

TEST_CASE("square roots of vectors have the bits of std::sqrt, whatever their number and place") {
  std::vector<float> x = {0.0f,
                          1.0f,
                          std::numeric_limits<float>::denorm_min(),
                          std::numeric_limits<float>::min(),
                          std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::infinity()};
  RandomStream random(1, "roots");
  while (x.size() < 4099) x.push_back(static_cast<float>(std::exp(160 * random.uniform() - 80)));
  for (const std::size_t begin : {0u, 1u, 3u})
    for (const std::size_t n : {std::size_t(0), std::size_t(7), std::size_t(8), x.size() - begin}) {
      std::vector<float> roots(n + 1, -1.0f);
      kernels::square_roots(x.data() + begin, roots.data(), n);
      for (std::size_t i = 0; i < n; ++i) REQUIRE(roots[i] == std::sqrt(x[begin + i]));
      CHECK(roots[n] == -1.0f);
    }
  const float negative[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
  float roots[8];
  kernels::square_roots(negative, roots, 8);
  for (const float root : roots) CHECK(std::isnan(root));
}
