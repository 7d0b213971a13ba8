// A vector that no backend knows is refused by the concept's name.
#include <list>
#include <solopo/solopo.hpp>

int main() {
  const solopo::PairBatch<std::list<float>> batch;
  return solopo::batch_loss(solopo::DPO{}, batch).loss > 0;
}
