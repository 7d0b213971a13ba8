// Against transformers and PyTorch in double precision (script/golden/llama.py).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "solopo/io/json.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/llama.hpp"
#include "solopo/model/safetensors_weights.hpp"

using namespace solopo;

namespace {

const std::filesystem::path golden = std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden/llama";

template <class T>
LlamaWeights<T> load(const std::filesystem::path& folder) {
  const auto file = folder / "config.json";
  const LlamaConfig config =
      llama_config_from_json(io::parse_json_file(file, io::FileRole::model), file.string());
  const auto stored = read_safetensors_weights(folder, config);
  LlamaWeights<T> weights(config);
  for (std::size_t i = 0; i < stored.data.size(); ++i) weights.data[i] = static_cast<T>(stored.data[i]);
  return weights;
}

template <class T>
void check_parity(double logp_tolerance, double gradient_tolerance) {
  for (const char* name : {"llama_untied", "llama_tied", "llama_wide_head", "qwen2", "qwen2_tied"}) {
    CAPTURE(name);
    const auto weights = load<T>(golden / name);
    const io::Json reference = io::parse_json_file(golden / name / "reference.json", io::FileRole::data);
    const io::SafetensorsFile tensors(golden / name / "reference.safetensors");
    PackedSequences batch;
    for (const io::Json& s : reference.at("sequences"))
      batch.append(s.at("prompt").get<std::vector<std::int32_t>>(),
                   s.at("response").get<std::vector<std::int32_t>>());
    Llama<T> model(weights);
    const auto logps = model.forward(batch);
    const auto expected = reference.at("logps").get<std::vector<double>>();
    for (std::size_t r = 0; r < expected.size(); ++r)
      CHECK(std::abs(double(logps[r]) - expected[r]) <=
            logp_tolerance * std::max(1.0, std::abs(expected[r])));

    std::vector<T> coefficients, gradients(weights.layout.size(), T(0));
    for (const io::Json& c : reference.at("coefficients")) coefficients.push_back(c.get<T>());
    model.backward(coefficients, gradients);
    for (const TensorSlot& slot : weights.layout.slots()) {
      CAPTURE(slot.name);
      std::vector<float> truth(slot.size);
      tensors.read_f32("grad." + slot.name, truth);
      double difference = 0, norm = 0;
      for (std::size_t i = 0; i < slot.size; ++i) {
        difference += std::pow(double(gradients[slot.offset + i]) - truth[i], 2);
        norm += double(truth[i]) * truth[i];
      }
      REQUIRE(norm > 0);
      CHECK(std::sqrt(difference / norm) < gradient_tolerance);
    }

    const auto sequences = reference.at("sequences");
    std::vector<float> last(sequences.size() * std::size_t(weights.config.vocab_size));
    tensors.read_f32("last_logits", last);
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      auto ids = sequences[s].at("prompt").get<std::vector<std::int32_t>>();
      for (const io::Json& id : sequences[s].at("response")) ids.push_back(id.get<std::int32_t>());
      const auto logits = model.last_logits(ids);
      for (std::size_t i = 0; i < logits.size(); ++i)
        REQUIRE(double(logits[i]) == Approx(last[s * logits.size() + i]).margin(2e-4));
    }
  }
}

}  // namespace

TEST_CASE("log-probabilities, logits and gradients equal transformers' in double") {
  check_parity<double>(1e-7, 1e-6);
}

TEST_CASE("log-probabilities, logits and gradients equal transformers' in float") {
  check_parity<float>(2e-6, 1e-4);
}
