#include "solopo/core/view.hpp"

#include <vector>

#include "catch.hpp"

using namespace solopo;

TEST_CASE("A view steps by its stride") {
  std::vector<int> data{0, 1, 2, 3, 4, 5, 6, 7};
  const MatrixView<int> v{data.data(), 2, 3, 4};
  CHECK(v(0, 2) == 2);
  CHECK(v(1, 0) == 4);
  CHECK(v.row(1) == data.data() + 4);
  v(1, 2) = 60;
  const MatrixView<const int> c = v;
  CHECK(c(1, 2) == 60);
}

TEST_CASE("A dense view has no gap between its rows") {
  std::vector<int> data{0, 1, 2, 3, 4, 5};
  CHECK(dense(data.data(), 2, 3)(1, 0) == 3);
}
