// A preference objective is a function of a few numbers: log-probabilities in, loss and derivatives out.
#include <cstdio>
#include <solopo/solopo.hpp>

int main() {
  // [snippet: objective]
  const solopo::Pair<float> pair{
      .chosen = {.logp = -12.f, .ref_logp = -13.f, .length = 8.f},
      .rejected = {.logp = -20.f, .ref_logp = -18.f, .length = 10.f},
      .chosen_long = {.logp = -16.f, .ref_logp = -15.f, .length = 8.f},
  };
  const solopo::SoLoPO<solopo::DPO> objective{.base = {.beta = 0.1f}, .alpha = 3.0f};
  const solopo::PairLoss<float> g = objective(pair);
  std::printf("loss %.4f\n", static_cast<double>(g.loss));
  std::printf("d/dlogp: chosen %.4f, rejected %.4f, chosen under the long prompt %.4f\n",
              static_cast<double>(g.chosen), static_cast<double>(g.rejected),
              static_cast<double>(g.chosen_long));
  // [end]
}
