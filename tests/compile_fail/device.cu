// Every objective as a kernel argument, by value. Compiled with -Werror cross-execution-space-call, an
// objective that forgot SOLOPO_HD does not get through.
#include <solopo/objectives/differentiated.hpp>
#include <solopo/objectives/dpo.hpp>
#include <solopo/objectives/hinge.hpp>
#include <solopo/objectives/ipo.hpp>
#include <solopo/objectives/orpo.hpp>
#include <solopo/objectives/sft.hpp>
#include <solopo/objectives/simpo.hpp>
#include <solopo/objectives/solopo.hpp>

#include <solopo/alignment/any_distance.hpp>
#include <solopo/links/exponential.hpp>

template <class O, class T>
__global__ void pair_losses(O objective, const solopo::Pair<T>* pairs, solopo::PairLoss<T>* out) {
  out[threadIdx.x] = objective(pairs[threadIdx.x]);
}

struct MyLoss {
  float beta = 0.1f;
  SOLOPO_HD auto operator()(auto p) const {
    return softplus(-beta * (p.chosen.logp - p.rejected.logp)) + log1mexp(p.chosen.logp) +
           exp(-abs(p.rejected.logp));
  }
};
struct ExponentialPO {
  static constexpr solopo::Needs needs = solopo::pairwise_needs<solopo::rewards::LogRatio>;
  template <class T>
  SOLOPO_HD solopo::PairLoss<T> operator()(const solopo::Pair<T>& p) const noexcept {
    return solopo::pairwise_loss(solopo::links::Exponential{}, solopo::rewards::LogRatio{}, p);
  }
};
#ifdef FORGET_HD
struct Forgotten {
  template <class T>
  solopo::PairLoss<T> operator()(const solopo::Pair<T>&) const noexcept {
    return {};
  }
};
#endif

template <class O>
void launch(O objective) {
  pair_losses<O, float><<<1, 1>>>(objective, nullptr, nullptr);
  pair_losses<O, double><<<1, 1>>>(objective, nullptr, nullptr);
}

int main() {
  using namespace solopo;
  launch(DPO{});
  launch(SimPO{});
  launch(ORPO{});
  launch(IPO{});
  launch(Hinge{});
  launch(SFT{});
  launch(SoLoPO<DPO>{});
  launch(SoLoPO<ORPO, Huber, AlignBoth>{});
  launch(SoLoPO<SimPO, AnyDistance>{});
  launch(Differentiated<MyLoss>{});
  launch(ExponentialPO{});
#ifdef FORGET_HD
  launch(Forgotten{});
#endif
}
