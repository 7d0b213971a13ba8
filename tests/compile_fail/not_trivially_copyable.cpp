// A rule that owns memory cannot be copied to a GPU byte by byte.
#include <solopo/solopo.hpp>
#include <string>

struct Mine : solopo::DPO {
  std::string note;
};

int main() { return static_cast<int>(solopo::AnyObjective("mine", Mine{})(solopo::Pair<float>{}).loss); }
