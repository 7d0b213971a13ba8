// The same batch in xtensor.
#include <iostream>
#include <solopo/backends/xtensor.hpp>
#include <solopo/solopo.hpp>

int main() {
  // [snippet: xtensor]
  using Vector = xt::xtensor<double, 1>;
  const solopo::PairBatch<Vector> batch{
      .chosen = {.logp = {-12.0, -6.0}, .length = {8.0, 4.0}},
      .rejected = {.logp = {-20.0, -9.0}, .length = {10.0, 5.0}},
      .chosen_long = {.logp = {-16.0, -7.0}, .length = {8.0, 4.0}},
  };
  const solopo::BatchLoss<Vector> out =
      solopo::batch_loss(solopo::SoLoPO<solopo::ORPO>{.alpha = 1.0f}, batch);
  out.metrics.for_each([](const char* name, double value) { std::cout << name << " " << value << "\n"; });
  // [end]
  std::cout << "derivatives " << out.chosen(0) << " " << out.chosen_long(0) << "\n";
}
