// The control: what the other programs of this folder do wrong, done right.
#include <solopo/solopo.hpp>

struct Mine {
  static constexpr solopo::Needs needs = solopo::Needs::chosen;
  solopo::rewards::MeanLogp reward() const noexcept { return {}; }
  template <class T>
  solopo::PairLoss<T> operator()(const solopo::Pair<T>&) const noexcept {
    return {};
  }
};

int main() {
  return static_cast<int>(solopo::SoLoPO<solopo::DPO, solopo::Absolute>{}(solopo::Pair<float>{}).loss +
                          solopo::SoLoPO<Mine>{}(solopo::Pair<float>{}).loss +
                          solopo::AnyObjective("mine", Mine{})(solopo::Pair<float>{}).loss);
}
