// One source for the CPU and for CUDA: where CMake has solopo::cuda (SOLOPO_WITH_CUDA) this file is compiled
// by nvcc and runs on either, chosen by name.
//   example_08_cpu_or_cuda [cpu|cuda]
#include <cstdio>
#include <solopo/solopo.hpp>
#include <string>
#include <vector>

#if defined(__CUDACC__)
#include <solopo/cuda/batch_loss.cuh>
#endif

using Floats = std::vector<float>;

static const solopo::PairBatch<Floats> batch{
    .chosen = {.logp = {-12.f, -6.f}, .ref_logp = {-13.f, -6.f}, .length = {8.f, 4.f}},
    .rejected = {.logp = {-20.f, -9.f}, .ref_logp = {-18.f, -9.f}, .length = {10.f, 5.f}},
    .chosen_long = {.logp = {-16.f, -7.f}, .ref_logp = {-15.f, -7.f}, .length = {8.f, 4.f}},
};

static void print(double loss, const solopo::BatchMetrics& metrics, const Floats& chosen) {
  std::printf("loss %.6f, gap %+.6f, dloss/dlogp of chosen %+.6f %+.6f\n", loss, metrics.solo_ra_gap,
              static_cast<double>(chosen[0]), static_cast<double>(chosen[1]));
}

// [snippet: cpu or cuda]
static void on_cpu(const auto& objective) {
  const auto out = solopo::batch_loss(objective, batch);
  print(static_cast<double>(out.loss), out.metrics, out.chosen);
}

#if defined(__CUDACC__)
static solopo::cuda::DeviceArray<float> device(const Floats& host) {
  return solopo::cuda::DeviceArray<float>(host);
}

static void on_cuda(const auto& objective) {
  const std::size_t pairs = batch.chosen.logp.size();
  const auto w = device(batch.chosen.logp), w_ref = device(batch.chosen.ref_logp),
             w_n = device(batch.chosen.length), l = device(batch.rejected.logp),
             l_ref = device(batch.rejected.ref_logp), l_n = device(batch.rejected.length),
             b = device(batch.chosen_long.logp), b_ref = device(batch.chosen_long.ref_logp),
             b_n = device(batch.chosen_long.length);
  const solopo::cuda::DeviceArray<float> loss(pairs), dw(pairs), dl(pairs), db(pairs);
  solopo::cuda::BatchReport report(pairs);
  solopo::cuda::batch_loss(objective,
                           solopo::PairArrays<float>{.chosen = {w.data(), w_ref.data(), w_n.data()},
                                                     .rejected = {l.data(), l_ref.data(), l_n.data()},
                                                     .chosen_long = {b.data(), b_ref.data(), b_n.data()}},
                           solopo::PairLossArrays<float>{loss.data(), dw.data(), dl.data(), db.data()}, pairs,
                           report);
  const auto out = report.read();  // the only wait for the device
  print(out.loss, out.metrics, dw.to_host());
}
#endif
// [end]

int main(int argc, char** argv) {
  const std::string where = argc > 1 ? argv[1] : "cpu";
  const solopo::SoLoPO<solopo::DPO> objective{.alpha = 3.0f};
  if (where == "cpu") {
    on_cpu(objective);
    return 0;
  }
  if (where != "cuda") {
    std::fprintf(stderr, "'%s' is neither cpu nor cuda\n", where.c_str());
    return 2;
  }
#if defined(__CUDACC__)
  if (solopo::cuda::device_count() > 0) {
    try {
      on_cuda(objective);
      return 0;
    } catch (const solopo::Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      return 1;
    }
  }
  std::fprintf(stderr, "there is no CUDA device on this machine; 'cpu' runs without one\n");
#else
  std::fprintf(stderr,
               "this program was built without CUDA; configure with -DSOLOPO_WITH_CUDA=ON and nvcc 13\n");
#endif
  return 1;
}
