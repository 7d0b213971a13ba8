// The CPU backend's side of parity.hpp and decoder_parity.hpp.
#include <vector>

#include "decoder_parity.hpp"
#include "parity.hpp"
#include "solopo/model/decoder.hpp"
#include "solopo/model/llama.hpp"

namespace solopo::test {

HostPass host_pass(const LlamaWeights<float>& weights, const LoraWeights<float>* lora,
                   const PackedSequences& batch, Statistic statistic, const std::vector<float>& dlogps,
                   const std::vector<float>& dstatistics) {
  Llama<float> model = lora ? Llama<float>(weights, *lora) : Llama<float>(weights);
  HostPass out;
  out.logps = model.forward(batch, {.kind = statistic});
  out.statistics.assign(model.statistics().begin(), model.statistics().end());
  out.gradient.assign(lora ? lora->layout.size() : weights.layout.size(), 0.0f);
  model.backward(dlogps, out.gradient, dstatistics);
  out.work = model.work();
  return out;
}

Answers host_answers(const LlamaWeights<float>& weights, const Questions& questions) {
  Decoder decoder(weights);
  return answers(decoder, questions);
}

}  // namespace solopo::test
