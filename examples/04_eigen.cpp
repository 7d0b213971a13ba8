// Log-probabilities in Eigen vectors. Foreign memory comes in through Eigen::Map, per-token values through
// response_logps and its adjoint.
#include <iostream>
#include <solopo/backends/eigen.hpp>
#include <solopo/solopo.hpp>
#include <vector>

int main() {
  // [snippet: eigen]
  using Vector = Eigen::VectorXf;
  Vector tokens(7);  // log-probabilities of the response tokens, one response after another
  tokens << -1, -2, -1.5f, -0.5f, -3, -2, -2;
  const std::vector<std::size_t> offsets{0, 4, 7};

  const Vector logps = solopo::response_logps(tokens, offsets);      // (2): chosen, rejected
  const Vector lengths = solopo::response_lengths(tokens, offsets);  // (2)
  const solopo::PairBatch<Vector> batch{
      .chosen = {.logp = logps.head(1), .length = lengths.head(1)},
      .rejected = {.logp = logps.tail(1), .length = lengths.tail(1)},
  };
  const solopo::BatchLoss<Vector> out = solopo::batch_loss(solopo::SimPO{.beta = 2.0f, .gamma = 0.5f}, batch);

  Vector dlogps(2);
  dlogps << out.chosen, out.rejected;
  const Vector dtokens = solopo::response_logps_adjoint(dlogps, offsets);  // (7): what goes into backward
  // [end]
  std::cout << "loss " << out.loss << "\ntokens' derivatives " << dtokens.transpose() << "\n";
}
