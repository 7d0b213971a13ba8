// Every element-wise objective of the registry as a kernel, and on a device, where there is one, against
// batch_loss() on the host. Without a device it says so and ends with 77, which ctest reports as skipped.
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "every_objective.hpp"
#include "pair_arrays.hpp"
#include "rule_checks.hpp"
#include "solopo/backends/batch_loss.hpp"
#include "solopo/cuda/batch_loss.cuh"

using namespace rule_checks;

namespace {

int failures = 0;

void expect(bool fact, const std::string& what) {
  if (fact) return;
  ++failures;
  std::printf("FAILED: %s\n", what.c_str());
}

// Arrays on the device, and pointers to what an objective needs.
template <class T>
struct DeviceArrays {
  std::vector<cuda::DeviceArray<T>> arrays;
  PairArrays<T> pointers{};

  DeviceArrays(const ArraysOfPairs<T>& host, Needs needs) {
    const PairArrays<T> from = host.pointers(needs);
    const std::size_t pairs = host.label.size();
    const auto copied = [&](const T* p) -> const T* {
      if (p == nullptr) return nullptr;
      arrays.emplace_back(std::vector<T>(p, p + pairs));
      return arrays.back().data();
    };
    const auto role = [&](const ResponseArrays<T>& y) {
      return ResponseArrays<T>{copied(y.logp), copied(y.ref_logp), copied(y.length), copied(y.statistic),
                               copied(y.ref_statistic)};
    };
    pointers.chosen = role(from.chosen);
    pointers.rejected = role(from.rejected);
    pointers.chosen_long = role(from.chosen_long);
    pointers.rejected_long = role(from.rejected_long);
    pointers.third = role(from.third);
    pointers.score_chosen = copied(from.score_chosen);
    pointers.score_rejected = copied(from.score_rejected);
    pointers.label = copied(from.label);
  }
};

template <class T>
PairBatch<std::vector<T>> batch_of(const ArraysOfPairs<T>& a) {
  const auto role = [&](unsigned r) {
    const auto& y = a.roles[r];
    return ResponseBatch<std::vector<T>>{y.logp, y.ref_logp, y.length, y.statistic, y.ref_statistic};
  };
  return {role(0), role(1), role(2), role(3), role(4), a.score_chosen, a.score_rejected, a.label};
}

// Instantiated for every objective, run only where there is a device.
template <class T, class O>
void compare(const std::string& name, const O& objective, const ArraysOfPairs<T>& host) {
  const std::size_t pairs = host.label.size();
  const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-11;
  const DeviceArrays<T> in(host, O::needs);
  const cuda::DeviceArray<T> loss(pairs);
  std::vector<cuda::DeviceArray<T>> g, s;
  for (unsigned r = 0; r < role_count; ++r) {
    const Needs response = response_roles[r].response;
    g.emplace_back(has(O::needs, response) ? pairs : 0);
    s.emplace_back(has(O::needs, response | Needs::statistic) ? pairs : 0);
  }
  PairLossArrays<T> out{loss.data(), g[0].data(), g[1].data(), g[2].data(), g[3].data(), g[4].data()};
  for (unsigned r = 0; r < role_count; ++r) out.by_statistic[r] = s[r].data();
  cuda::BatchReport report(pairs);
  cuda::batch_loss(objective, in.pointers, out, pairs, report);
  const cuda::BatchResult result = report.read();
  const auto expected = batch_loss(objective, batch_of(host));
  expect(relative_error(result.loss, static_cast<double>(expected.loss), 1) <= tolerance, name + ": loss");
  const std::vector<T>* const gradients[] = {&expected.chosen, &expected.rejected, &expected.chosen_long,
                                             &expected.rejected_long, &expected.third};
  const auto same = [&](const cuda::DeviceArray<T>& ours, const std::vector<T>& theirs) {
    const std::vector<T> device = ours.to_host();
    double worst = 0;
    for (std::size_t i = 0; i < device.size(); ++i)
      worst =
          std::max(worst, static_cast<double>(pairs) * std::abs(static_cast<double>(device[i] - theirs[i])));
    return device.size() == theirs.size() && worst <= 10 * tolerance;
  };
  for (unsigned r = 0; r < role_count; ++r) {
    const std::string role = response_roles[r].name;
    expect(same(g[r], *gradients[r]), name + ": derivatives of " + role);
    expect(same(s[r], expected.by_statistic[r]), name + ": derivatives of the statistic of " + role);
  }
  std::vector<double> metrics, expected_metrics;
  result.metrics.for_each([&](const char*, double value) { metrics.push_back(value); });
  expected.metrics.for_each([&](const char*, double value) { expected_metrics.push_back(value); });
  expect(metrics.size() == expected_metrics.size(), name + ": number of metrics");
  for (std::size_t i = 0; i < metrics.size() && i < expected_metrics.size(); ++i)
    expect(relative_error(metrics[i], expected_metrics[i], 1) <= tolerance, name + ": metrics");
  cuda::batch_loss(objective, in.pointers, out, pairs, report);
  expect(report.read().loss == result.loss, name + ": the same bits a second time");
}

void check_faults() {
  ArraysOfPairs<float> host(random_pairs(300));
  host.roles[0].length[131] = 0;
  host.roles[1].logp[140] = std::numeric_limits<float>::quiet_NaN();
  const DeviceArrays<float> in(host, DPO::needs);
  const cuda::DeviceArray<float> loss(300), chosen(300), rejected(300);
  cuda::BatchReport report(300);
  cuda::batch_loss(DPO{}, in.pointers, {loss.data(), chosen.data(), rejected.data()}, 300, report);
  try {
    (void)report.read();
    expect(false, "a bad input is reported");
  } catch (const ArgumentError& e) {
    expect(e.argument() == "chosen.length" && e.index() == 131,
           std::string("the first bad input: ") + e.what());
  }
  report.clear();
  expect(report.read().metrics.pairs == 0, "a cleared report is empty");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--version") {
    std::puts("solopo " SOLOPO_VERSION);
    return 0;
  }
  const bool device = cuda::device_count() > 0;
  const ArraysOfPairs<float> floats(random_pairs(300));
  const ArraysOfPairs<double> doubles(random_pairs(300));
  int objectives = 0;
  each_elementwise_objective([&](const std::string& name, auto make) {
    ++objectives;
    const auto objective = make(ObjectiveOptions{});
    if (!device) return;
    compare(name + " in float", objective, floats);
    compare(name + " in double", objective, doubles);
  });
  if (!device) {
    std::printf("skipped: no CUDA device; %d objectives are compiled and linked, none was run on a device\n",
                objectives);
    return 77;
  }
  check_faults();
  std::printf("%d objectives on a device, %d failures\n", objectives, failures);
  return failures == 0 ? 0 : 1;
}
