// Another program's use of the component llama: its JSON, its matrix product.
#include <cstdio>
#include <solopo/io/json.hpp>
#include <solopo/kernels/parallel.hpp>
#include <solopo/kernels/product.hpp>

int main() {
  const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 0, 1, 1, 1};  // (2, 3), (3, 2)
  float c[4] = {};
  solopo::kernels::DefaultProduct::gemm<float>(false, false, 2, 2, 3, 1.f, a, 3, b, 2, 0.f, c, 2);
  std::printf("llama: %s, %d threads, %g %g %g %g\n", solopo::kernels::DefaultProduct::name,
              solopo::kernels::thread_count(), static_cast<double>(c[0]), static_cast<double>(c[1]),
              static_cast<double>(c[2]), static_cast<double>(c[3]));
  return c[0] == 4 && c[1] == 5 && c[2] == 10 && c[3] == 11 ? 0 : 1;
}
