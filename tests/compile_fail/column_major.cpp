// A column-major matrix is refused by the concept's name, when compiling.
#include <Eigen/Core>
#include <solopo/backends/eigen.hpp>
#include <solopo/backends/lm_head.hpp>

int main() {
  const Eigen::MatrixXf hidden(1, 2), head(3, 2);
  return solopo::head_logps(hidden, head, {}, 1).logps.empty();
}
