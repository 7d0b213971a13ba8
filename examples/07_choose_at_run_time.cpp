// The objective and its options come as text, from a configuration or as here from the command line:
//   example_07_choose_at_run_time solopo:simpo alpha=0.5 distance=huber
// A wrong name or value is an error that says what would be right.
#include <cstdio>
#include <solopo/objectives/registry.hpp>
#include <solopo/solopo.hpp>
#include <string>
#include <vector>

static const solopo::PairBatch<std::vector<float>> batch{
    .chosen = {.logp = {-12.f, -6.f}, .ref_logp = {-13.f, -6.f}, .length = {8.f, 4.f}},
    .rejected = {.logp = {-20.f, -9.f}, .ref_logp = {-18.f, -9.f}, .length = {10.f, 5.f}},
    .chosen_long = {.logp = {-16.f, -7.f}, .ref_logp = {-15.f, -7.f}, .length = {8.f, 4.f}},
};

int main(int argc, char** argv) {
  try {
    // [snippet: choose]
    const std::string name = argc > 1 ? argv[1] : "solopo:dpo";
    solopo::ObjectiveOptions options;
    for (int i = 2; i < argc; ++i) {
      const std::string text = argv[i];
      const std::size_t equals = std::min(text.find('='), text.size() - 1);
      options.insert_or_assign(text.substr(0, equals), solopo::option_value(text.substr(equals + 1)));
    }
    const solopo::AnyObjective objective = solopo::make_objective(name, options);
    const auto out = solopo::batch_loss(objective, batch);
    // [end]
    std::printf("%s: loss %.4f\n", objective.name().c_str(), static_cast<double>(out.loss));
    out.metrics.for_each(
        [](const char* metric, double value) { std::printf("  %-20s %.4f\n", metric, value); });
  } catch (const solopo::ArgumentError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
