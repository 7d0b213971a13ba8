// A vector of integers is no batch vector.
#include <solopo/solopo.hpp>

int main() {
  return static_cast<int>(solopo::batch_loss(solopo::DPO{}, solopo::PairBatch<std::vector<int>>{}).loss);
}
