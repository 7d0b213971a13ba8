// Without reward() there is nothing to align: SoLoPO must say which concept is not met.
#include <solopo/solopo.hpp>

struct Mine {
  static constexpr solopo::Needs needs = solopo::Needs::chosen;
  template <class T>
  solopo::PairLoss<T> operator()(const solopo::Pair<T>&) const noexcept {
    return {};
  }
};

int main() { return static_cast<int>(solopo::SoLoPO<Mine>{}.alpha); }
