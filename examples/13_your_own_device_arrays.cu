// Device arrays of your own in cuda::batch_loss(): it takes pointers and a number of pairs, and works on your
// stream without waiting for it or allocating. Here they are parts of one allocation of the program's own.
#include <cstdio>
#include <solopo/cuda/batch_loss.cuh>
#include <solopo/solopo.hpp>
#include <vector>

// [snippet: your own device arrays]
// A matrix on the device as many programs have it: pointer, extents, stream. Column c is one number a pair.
struct DeviceMatrix {
  float* data;
  std::size_t rows, columns;
  cudaStream_t stream;

  [[nodiscard]] float* column(std::size_t c) const { return data + c * rows; }
};

// Columns: log-probabilities of chosen, rejected, and chosen under the long prompt, then the reference's,
// then the lengths. Derivatives, and the loss of each pair, go to the columns of `out`.
static solopo::cuda::BatchResult solopo_dpo(const DeviceMatrix& m, const DeviceMatrix& out,
                                            solopo::cuda::BatchReport& report) {
  const auto response = [&](std::size_t r) {
    return solopo::ResponseArrays<float>{
        .logp = m.column(r), .ref_logp = m.column(3 + r), .length = m.column(6 + r)};
  };
  solopo::cuda::batch_loss(
      solopo::SoLoPO<solopo::DPO>{.base = {.beta = 0.1f}, .alpha = 3.0f},
      solopo::PairArrays<float>{.chosen = response(0), .rejected = response(1), .chosen_long = response(2)},
      solopo::PairLossArrays<float>{out.column(0), out.column(1), out.column(2), out.column(3)}, m.rows,
      report, m.stream);
  return report.read(m.stream);  // waits; leave it out where only the derivatives are wanted
}
// [end]

static void run() {
  using solopo::cuda::check;
  const std::vector<float> numbers = {-12, -9, -20, -11, -16, -10,    // log-probabilities of two pairs
                                      -13, -9, -18, -12, -15, -10.5,  // the reference's
                                      8,   6,  10,  7,   8,   6};
  constexpr std::size_t pairs = 2, columns = 9, results = 4;
  cudaStream_t stream = nullptr;
  float* memory = nullptr;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  check(cudaMalloc(&memory, pairs * (columns + results) * sizeof(float)), "cudaMalloc");
  check(
      cudaMemcpyAsync(memory, numbers.data(), numbers.size() * sizeof(float), cudaMemcpyHostToDevice, stream),
      "cudaMemcpyAsync");
  const DeviceMatrix in{memory, pairs, columns, stream}, out{in.column(columns), pairs, results, stream};
  solopo::cuda::BatchReport report(pairs);
  const solopo::cuda::BatchResult result = solopo_dpo(in, out, report);
  std::vector<float> host(pairs * results);
  check(cudaMemcpyAsync(host.data(), out.data, host.size() * sizeof(float), cudaMemcpyDeviceToHost, stream),
        "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  std::printf(
      "loss %.6f; of the pairs %.6f %.6f; by the first chosen log-probability %+.6f, under the long prompt "
      "%+.6f\n",
      result.loss, static_cast<double>(host[0]), static_cast<double>(host[1]), static_cast<double>(host[2]),
      static_cast<double>(host[6]));
  check(cudaFree(memory), "cudaFree");
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
}

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "there is no CUDA device on this machine\n");
    return 1;
  }
  try {
    run();
  } catch (const solopo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
