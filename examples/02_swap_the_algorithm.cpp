// The algorithm is a type: base objective, distance and scope are exchanged without touching the rest. Where
// it must be chosen by name when the program runs, the registry does it.
#include <cstdio>
#include <solopo/objectives/registry.hpp>
#include <solopo/solopo.hpp>
#include <vector>

using Floats = std::vector<float>;

static const solopo::PairBatch<Floats> batch{
    .chosen = {.logp = {-12.f, -6.f}, .ref_logp = {-13.f, -6.f}, .length = {8.f, 4.f}},
    .rejected = {.logp = {-20.f, -9.f}, .ref_logp = {-18.f, -9.f}, .length = {10.f, 5.f}},
    .chosen_long = {.logp = {-16.f, -7.f}, .ref_logp = {-15.f, -7.f}, .length = {8.f, 4.f}},
    .rejected_long = {.logp = {-22.f, -9.5f}, .ref_logp = {-21.f, -9.f}, .length = {10.f, 5.f}},
};

static void show(const char* name, const auto& objective) {
  const auto out = solopo::batch_loss(objective, batch);
  std::printf("%-34s loss %.4f  gap %+.4f\n", name, static_cast<double>(out.loss), out.metrics.solo_ra_gap);
}

int main() {
  // [snippet: swap]
  using namespace solopo;
  show("SoLoPO<SimPO>", SoLoPO<SimPO>{});
  show("SoLoPO<ORPO>", SoLoPO<ORPO>{});
  show("SoLoPO<SimPO, Squared>", SoLoPO<SimPO, Squared>{});
  show("SoLoPO<ORPO, Absolute, AlignBoth>", SoLoPO<ORPO, Absolute, AlignBoth>{});
  show("solopo:dpo, by name", make_objective("solopo:dpo", {{"alpha", 1}, {"distance", "huber"}}));
  // [end]
}
