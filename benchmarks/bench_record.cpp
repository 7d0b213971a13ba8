// Seconds to train on one record, forward and backward, in the ways named, in turn: prints one JSON line a
// way. SmolLM2-135M's shape.
//   bench_record [--schemes naive,S+PS] [--prompt 2048] [--short 1024] [--response 200] [--repetitions 5]
//                [--stdin]
// naive: DPO on the long prompt as it is usually run. Chosen and rejected each with its own prompt, the head
// and its softmax on all rows, every layer run again in the backward, and a reference model of the same shape
// every step. V, V+PS, S, S+PS, S+PS+RO: as bench_schemes; the reference's log-probabilities were computed
// before. --stdin: one step of the scheme that each line read names, for a driver that takes turns with
// another program; the first of each scheme pays for touching memory.
#include <algorithm>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "measure.hpp"
#include "random_model.hpp"
#include "solopo/cost/model_shapes.hpp"

namespace {

using namespace solopo;

struct Record {
  bench::Ids short_prompt, long_prompt, chosen, rejected;
};

// "naive" is V with every row scored.
const cost::NamedScheme& scheme_of(const std::string& name) {
  return cost::find_scheme(name == "naive" ? "V" : name);
}

PackedSequences batch_of(const std::string& name, const Record& r) {
  const std::string_view known[] = {"naive", "V", "V+PS", "S", "S+PS", "S+PS+RO"};  // one batch each
  if (std::find(std::begin(known), std::end(known), name) == std::end(known)) {
    std::fprintf(stderr, "bench_record: no scheme '%s'\n", name.c_str());
    std::exit(2);
  }
  PackedSequences batch =
      bench::scheme_batches(scheme_of(name).scheme, r.short_prompt, r.long_prompt, r.chosen, r.rejected)
          .front();
  if (name == "naive")
    for (const std::int32_t response : {0, 1}) batch.score_prompt(response);
  return batch;
}

}  // namespace

int main(int argc, char** argv) {
  long prompt = 2048, short_prompt = 1024, response = 200, layers = 0;
  bool from_stdin = false;
  std::string schemes = "naive,S+PS";
  bench::Options options("bench_record");
  options.repetitions = 5;
  options.number("--prompt", prompt).number("--short", short_prompt).number("--response", response);
  options.number("--layers", layers);  // fewer, for a quick try
  options.text("--schemes", schemes).flag("--stdin", from_stdin);
  options.parse(argc, argv);

  cost::ModelShape shape = cost::find_model_shape("smollm2-135m");
  if (layers > 0) shape.layers = layers;
  bench::RandomModel model(bench::config_of(shape));
  const Record record{model.ids(short_prompt), model.ids(prompt), model.ids(response), model.ids(response)};
  Llama<float> policy(model.weights), recomputing(model.weights, {.recompute = true}),
      reference(model.weights);
  const auto step = [&](const std::string& scheme, const PackedSequences& batch) {
    const bool naive = scheme == "naive";
    Llama<float>& llama = naive ? recomputing : policy;
    if (naive) reference.response_logps(batch);
    llama.forward(batch);
    const std::vector<float> dlogps(static_cast<std::size_t>(batch.responses), 1.0f);
    llama.backward(dlogps, model.gradients);
  };
  // Rows that go through the layers with and without a gradient: those the model counted in one pass, and
  // those that the scheme needs.
  const auto counted = [&](const PackedSequences& batch) {
    const cost::Count before = policy.work().forward.tokens;
    policy.response_logps(batch);
    return policy.work().forward.tokens - before;
  };
  const auto needed = [&](const std::string& scheme) {
    const cost::RecordWork work =
        cost::record_work({short_prompt, prompt, response, response}, scheme_of(scheme).scheme);
    return work.differentiated.tokens + work.read.tokens;
  };
  const auto print = [&](const std::string& scheme, const std::vector<double>& rounds, cost::Count tokens) {
    bench::print_line("record", options,
                      {{"scheme", scheme},
                       {"prompt", prompt},
                       {"short", short_prompt},
                       {"response", response},
                       {"tokens", tokens},
                       {"needed_tokens", needed(scheme)},
                       {"rounds", rounds},
                       {"peak_rss", bench::peak_rss()}});
  };
  if (from_stdin) {
    for (std::string scheme; std::getline(std::cin, scheme);) {
      const PackedSequences batch = batch_of(scheme, record);
      const double begin = bench::now(options);
      step(scheme, batch);
      print(scheme, {bench::now(options) - begin}, needed(scheme));
    }
    return 0;
  }
  std::vector<std::string> names;
  std::istringstream list(schemes);
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  std::vector<PackedSequences> batches;
  for (const std::string& name : names) batches.push_back(batch_of(name, record));
  std::vector<bench::Timed> timed;
  for (std::size_t i = 0; i < names.size(); ++i) timed.push_back({[&, i] { step(names[i], batches[i]); }});
  bench::in_turn(timed, options);
  for (std::size_t i = 0; i < names.size(); ++i) print(names[i], timed[i].rounds, counted(batches[i]));
  return 0;
}
