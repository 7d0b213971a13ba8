// libtorch's tensors on a device: compiled and linked; run where there is a device and a libtorch that knows
// it.
#include "solopo/cuda/torch.cuh"

#include <cstdio>
#include <string>

#include "solopo/objectives/dpo.hpp"
#include "solopo/objectives/solopo.hpp"
#include "solopo/objectives/tdpo1.hpp"

using namespace solopo;

namespace {

int failures = 0;

void expect(bool fact, const std::string& what) {
  if (fact) return;
  ++failures;
  std::printf("FAILED: %s\n", what.c_str());
}

TorchPairs batch(at::Device device) {
  const auto numbers = [&](double start, double step) {
    return (at::arange(8, at::kDouble) * step + start).to(device);
  };
  const auto role = [&](double start) {
    return TorchResponses{numbers(start, -0.75).detach().requires_grad_(), numbers(start - 1, -0.5),
                          numbers(4, 1), numbers(0.25, 0.125).detach().requires_grad_()};
  };
  return {role(-3), role(-5), role(-4), role(-6), role(-2)};
}

template <class O>
void compare(const char* name, const O& objective) {
  TorchPairs host = batch(at::kCPU), device = batch(at::Device("cuda:0"));
  solopo::cuda::BatchReport report(8);
  const at::Tensor a = preference_loss(objective, host),
                   b = solopo::cuda::preference_loss(objective, device, report);
  expect((a - b.cpu()).abs().item<double>() < 1e-12, std::string(name) + ": loss");
  a.backward();
  b.backward();
  for (const auto role : torch_detail::roles) {
    const at::Tensor g = (host.*role).logp.grad(), h = (device.*role).logp.grad();
    expect(g.defined() == h.defined(), std::string(name) + ": which gradients there are");
    if (g.defined())
      expect((g - h.cpu()).abs().max().item<double>() < 1e-12, std::string(name) + ": gradient");
  }
}

}  // namespace

int main() {
  try {
    (void)solopo::cuda::check_device_batch(batch(at::kCPU), DPO::needs);
    expect(false, "a tensor on the CPU is refused");
  } catch (const ArgumentError& error) {
    expect(std::string(error.what()).find("chosen.logp: is on cpu, expected a CUDA device") == 0,
           error.what());
  }
  if (solopo::cuda::device_count() > 0 && at::hasCUDA()) {
    compare("dpo", DPO{});
    compare("solopo:dpo", SoLoPO<DPO>{.alpha = 3.0f});
    compare("tdpo1", TDPO1{});
    std::printf("libtorch on a device: %d failures\n", failures);
    return failures == 0 ? 0 : 1;
  }
  if (failures > 0) return 1;
  // The kernels are compiled; their use is linked.
  volatile auto kept = &solopo::cuda::preference_loss<SoLoPO<TDPO1>>;
  (void)kept;
  std::printf("skipped: %s; compiled and linked, not run on a device\n",
              solopo::cuda::device_count() > 0 ? "this libtorch knows no CUDA" : "no CUDA device");
  return 77;
}
