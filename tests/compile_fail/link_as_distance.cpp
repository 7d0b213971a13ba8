// A link is convex, but neither even nor zero at zero: SoLoPO must not take it for a distance.
#include <solopo/solopo.hpp>

int main() { return static_cast<int>(solopo::SoLoPO<solopo::DPO, solopo::links::Logistic>{}.alpha); }
