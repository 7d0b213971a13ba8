// An objective inside a kernel of your own: it is a few numbers passed by value, and calling it costs a few
// instructions. Here a warp takes a pair: it sums the log-probabilities of each response's tokens, asks the
// objective, and writes the derivative by every token, so that sums, loss and derivatives are one launch.
#include <cstdint>
#include <cstdio>
#include <solopo/cuda/device_array.cuh>
#include <solopo/cuda/error.cuh>
#include <solopo/solopo.hpp>
#include <vector>

using Floats = std::vector<float>;
using solopo::cuda::DeviceArray;

// [snippet: objective in your kernel]
// Token log-probabilities of responses that lie one after the other: response i has [begins[i], begins[i +
// 1]). Pair p is responses 2 p (chosen) and 2 p + 1 (rejected). Block p, 32 threads.
template <class Objective>
__global__ void pair_loss(Objective objective, const std::int32_t* begins, const float* logps,
                          const float* ref_logps, float* losses, float* dlogps) {
  const int lane = static_cast<int>(threadIdx.x), pair = static_cast<int>(blockIdx.x);
  const auto sum = [&](const float* values, int response) {
    float own = 0;
    for (int i = begins[response] + lane; i < begins[response + 1]; i += 32) own += values[i];
    for (int mask = 16; mask > 0; mask /= 2) own += __shfl_xor_sync(0xffffffffu, own, mask);
    return own;
  };
  const auto response = [&](int r) {
    return solopo::Response<float>{.logp = sum(logps, r),
                                   .ref_logp = sum(ref_logps, r),
                                   .length = static_cast<float>(begins[r + 1] - begins[r])};
  };
  const solopo::PairLoss<float> loss =
      objective(solopo::Pair<float>{.chosen = response(2 * pair), .rejected = response(2 * pair + 1)});
  if (lane == 0) losses[pair] = loss.loss;
  for (int i = begins[2 * pair] + lane; i < begins[2 * pair + 2]; i += 32)
    dlogps[i] = i < begins[2 * pair + 1] ? loss.chosen : loss.rejected;
}
// [end]

static void run(const auto& objective, const char* name) {
  const std::vector<std::int32_t> begins = {0, 3, 5, 6, 10};
  const Floats logps = {-1, -2, -0.5f, -3, -1, -0.25f, -1, -1, -2, -0.5f};
  const Floats ref_logps = {-1, -2.5f, -1, -2, -1, -0.5f, -1, -1, -1, -1};
  const DeviceArray<std::int32_t> at(begins);
  const DeviceArray<float> policy(logps), reference(ref_logps), losses(2), dlogps(logps.size());
  pair_loss<<<2, 32>>>(objective, at.data(), policy.data(), reference.data(), losses.data(), dlogps.data());
  solopo::cuda::check(cudaGetLastError(), "launch of pair_loss");
  const Floats loss = losses.to_host(), by_token = dlogps.to_host();
  std::printf("%-12s losses %.6f %.6f, by the first and the last token %+.6f %+.6f\n", name,
              static_cast<double>(loss[0]), static_cast<double>(loss[1]), static_cast<double>(by_token[0]),
              static_cast<double>(by_token[9]));
}

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "there is no CUDA device on this machine\n");
    return 1;
  }
  try {
    run(solopo::DPO{.beta = 0.1f}, "DPO");
    run(solopo::SimPO{.beta = 2.0f, .gamma = 0.5f}, "SimPO");
  } catch (const solopo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
