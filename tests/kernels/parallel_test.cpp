#include "solopo/kernels/parallel.hpp"

#include <stdexcept>
#include <vector>

#include "catch.hpp"

using namespace solopo::kernels;

TEST_CASE("parallel_ranges covers every element once") {
  for (const std::ptrdiff_t n : {0, 1, 7, 16, 17, 1000}) {
    std::vector<int> seen(static_cast<std::size_t>(n), 0);
    parallel_ranges(n, 16, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
      for (std::ptrdiff_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
    });
    for (const int count : seen) REQUIRE(count == 1);
  }
}

TEST_CASE("an exception in a piece reaches the caller") {
  CHECK_THROWS_AS(parallel_for(8,
                               [](std::ptrdiff_t i) {
                                 if (i == 5) throw std::runtime_error("piece 5");
                               }),
                  std::runtime_error);
}
