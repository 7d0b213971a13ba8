// Generation on a device against the CPU's, for any queue: on a device, and on a host that plays one.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "parity.hpp"
#include "solopo/core/random.hpp"
#include "solopo/cuda/decoder.hpp"
#include "solopo/model/llama_weights.hpp"

namespace solopo::test {

using Ids = std::vector<std::int32_t>;

// What a decoder is asked: prompts continued together, and a response to each scored.
struct Questions {
  std::vector<Ids> prompts, responses;
  std::vector<GenerateOptions> options;
};

struct Answers {
  std::vector<std::vector<Generated>> generated;
  std::vector<float> prompt_logits, response_logps;  // of all prompts; the former one after the other
};

template <class Decoder>
Answers answers(Decoder& decoder, const Questions& questions) {
  Answers out;
  for (const Ids& prompt : questions.prompts) {
    const auto logits = decoder.prompt_logits(decoder.add_prompt(prompt));
    out.prompt_logits.insert(out.prompt_logits.end(), logits.begin(), logits.end());
  }
  out.generated = decoder.generate_all(questions.options);
  for (std::size_t i = 0; i < questions.prompts.size(); ++i)
    out.response_logps.push_back(static_cast<float>(decoder.response_logp(questions.responses[i], i)));
  return out;
}

// The CPU backend's, compiled apart from device code (host_pass.cpp).
Answers host_answers(const LlamaWeights<float>& weights, const Questions& questions);

// Prompts of 3, 3 + longer, ... tokens, two samples of the first, three of the second and so on; every other
// one is sampled, unless all are greedy.
inline Questions questions(std::int32_t vocabulary, std::size_t prompts, std::size_t longer, bool sampled,
                           std::int32_t new_tokens, std::uint64_t seed = 7) {
  Questions out;
  RandomStream random(seed, "questions");
  const auto ids = [&](std::size_t n) {
    Ids all(n);
    for (std::int32_t& t : all)
      t = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    return all;
  };
  for (std::size_t i = 0; i < prompts; ++i) {
    out.prompts.push_back(ids(3 + longer * i));
    out.responses.push_back(ids(1 + 4 * i));
    out.options.push_back({.max_new_tokens = new_tokens + static_cast<std::int32_t>(i),
                           .temperature = sampled && i % 2 == 0 ? 0.9 : 0,
                           .samples = 2 + static_cast<std::int32_t>(i),
                           .seed = 3,
                           .stream = i,
                           .stop_tokens = {2, 7, 11}});
  }
  return out;
}

// Samples that differ, and relative differences of what is numbers.
struct DecoderReport {
  int differ = 0, stopped = 0, samples = 0;
  double logps = 0, prompt_logits = 0, response_logps = 0;
};

template <class T, class Queue>
DecoderReport decoder_parity(Queue& queue, const LlamaWeights<float>& weights, const Questions& questions,
                             cuda::DeviceDecoderOptions options = {}) {
  LlamaWeights<float> rounded(weights.config);
  for (std::size_t i = 0; i < weights.data.size(); ++i)
    rounded.data[i] = static_cast<float>(T(weights.data[i]));
  const Answers expected = host_answers(rounded, questions);
  const cuda::DeviceWeights<T, Queue> device(queue, weights);
  cuda::DeviceDecoder<T, Queue> decoder(queue, device, options);
  const Answers actual = answers(decoder, questions);
  DecoderReport report;
  std::vector<float> logps, expected_logps;
  for (std::size_t p = 0; p < expected.generated.size(); ++p)
    for (std::size_t s = 0; s < expected.generated[p].size(); ++s) {
      const Generated &a = actual.generated.at(p).at(s), &b = expected.generated[p][s];
      ++report.samples;
      report.stopped += b.stopped ? 1 : 0;
      report.differ += a.tokens != b.tokens || a.stopped != b.stopped ? 1 : 0;
      logps.push_back(static_cast<float>(a.logp));
      expected_logps.push_back(static_cast<float>(b.logp));
    }
  report.logps = relative_difference(logps, expected_logps);
  report.prompt_logits = relative_difference(actual.prompt_logits, expected.prompt_logits);
  report.response_logps = relative_difference(actual.response_logps, expected.response_logps);
  return report;
}

// Samples that are not the same bit by bit when they are generated again.
template <class T, class Queue>
int changed_samples(Queue& queue, const LlamaWeights<float>& weights, const Questions& questions,
                    cuda::DeviceDecoderOptions options = {}) {
  const cuda::DeviceWeights<T, Queue> device(queue, weights);
  cuda::DeviceDecoder<T, Queue> decoder(queue, device, options);
  const Answers first = answers(decoder, questions);
  decoder.clear();
  const Answers again = answers(decoder, questions);
  int changed = 0;
  for (std::size_t p = 0; p < first.generated.size(); ++p)
    for (std::size_t s = 0; s < first.generated[p].size(); ++s) {
      const Generated &a = first.generated[p][s], &b = again.generated[p][s];
      changed += a.tokens != b.tokens || a.logp != b.logp ? 1 : 0;
    }
  return changed;
}

}  // namespace solopo::test
