// The LM head with nothing but a compiler and this library's headers: plain loops are its product.
#include <solopo/backends/lm_head.hpp>

int main() {
  const float hidden[] = {1, 0}, head[] = {1, 0, 0, 1};
  const solopo::HeadTarget target{0, 1, 0};
  const auto out =
      solopo::head_logps(solopo::dense(hidden, 1, 2), solopo::dense(head, 2, 2), {&target, 1}, 1);
  return out.logps[0] < 0 ? 0 : 1;
}
