// A vector is no matrix: refused by the concept's name.
#include <solopo/backends/lm_head.hpp>
#include <vector>

int main() {
  const std::vector<float> hidden, head;
  return solopo::head_logps(hidden, head, {}, 1).logps.empty();
}
