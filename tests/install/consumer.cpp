// Another program's whole use of the core: the loss of one pair, once, printed and checked.
#include <cmath>
#include <cstdio>
#include <solopo/solopo.hpp>

int main() {
  const solopo::Pair<float> pair{.chosen = {.logp = -12.f, .ref_logp = -13.f, .length = 8.f},
                                 .rejected = {.logp = -20.f, .ref_logp = -18.f, .length = 10.f},
                                 .chosen_long = {.logp = -16.f, .ref_logp = -15.f, .length = 8.f}};
  const float plain = solopo::DPO{.beta = 0.1f}(pair).loss;
  const float loss = solopo::SoLoPO<solopo::DPO>{.base = {.beta = 0.1f}, .alpha = 3.0f}(pair).loss;
  std::printf("solopo %s: DPO %.4f, SoLoPO %.4f\n", SOLOPO_VERSION, static_cast<double>(plain),
              static_cast<double>(loss));
  // The gap is 0.1 * 1 - 0.1 * -1 = 0.2, three times: SoLoPO adds 0.6.
  return std::abs(loss - plain - 0.6f) < 1e-6f ? 0 : 1;
}
