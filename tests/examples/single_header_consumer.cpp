// Uses everything the single file promises, and nothing else.
#include <cstdio>

#include "solopo_objectives.hpp"

int main() {
  using namespace solopo;
  const PairBatch<std::vector<float>> batch{
      .chosen = {.logp = {-12.f}, .ref_logp = {-13.f}, .length = {8.f}},
      .rejected = {.logp = {-20.f}, .ref_logp = {-18.f}, .length = {10.f}},
      .chosen_long = {.logp = {-16.f}, .ref_logp = {-15.f}, .length = {8.f}}};
  const auto out = batch_loss(SoLoPO<DPO>{.base = {.beta = 0.1f}, .alpha = 3.0f}, batch);
  const auto erased = batch_loss(AnyObjective("solo-dpo", SoLoPO<DPO>{.alpha = 3.0f}), batch);
  std::printf("single header: loss %.4f %.4f\n", static_cast<double>(out.loss),
              static_cast<double>(erased.loss));
  return out.loss == erased.loss ? 0 : 1;
}
