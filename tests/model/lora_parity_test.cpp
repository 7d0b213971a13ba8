// Against PEFT on transformers in double precision (script/golden/lora.py).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "solopo/io/json.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/llama.hpp"
#include "solopo/model/lora_files.hpp"
#include "solopo/model/safetensors_weights.hpp"

using namespace solopo;

namespace {

const std::filesystem::path golden = std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden";

template <class T, template <class> class Weights>
Weights<T> converted_to(const Weights<float>& stored, Weights<T> out) {
  for (std::size_t i = 0; i < stored.data.size(); ++i) out.data[i] = static_cast<T>(stored.data[i]);
  return out;
}

// The relative distance of `values` from a tensor of the file.
template <class T>
double distance(std::span<const T> values, const io::SafetensorsFile& file, const std::string& name) {
  std::vector<float> truth(values.size());
  file.read_f32(name, truth);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    difference += std::pow(double(values[i]) - truth[i], 2);
    norm += double(truth[i]) * truth[i];
  }
  REQUIRE(norm > 0);
  return std::sqrt(difference / norm);
}

template <class T>
void check_parity(double logp_tolerance, double gradient_tolerance) {
  for (const char* name : {"all_qwen2", "some_tied", "rslora"}) {
    CAPTURE(name);
    const std::filesystem::path folder = golden / "lora" / name;
    const io::Json reference = io::parse_json_file(folder / "reference.json", io::FileRole::data);
    const io::SafetensorsFile tensors(folder / "reference.safetensors");
    const std::filesystem::path base = golden / "llama" / reference.at("base").get<std::string>();
    const LlamaConfig config = llama_config_from_json(
        io::parse_json_file(base / "config.json", io::FileRole::model), (base / "config.json").string());
    auto weights =
        converted_to<T, LlamaWeights>(read_safetensors_weights(base, config), LlamaWeights<T>(config));
    const LoraWeights<float> stored = load_lora(folder, config);
    const auto lora = converted_to<T, LoraWeights>(stored, LoraWeights<T>(config, stored.config));

    PackedSequences batch;
    for (const io::Json& s : reference.at("sequences"))
      batch.append(s.at("prompt").get<std::vector<std::int32_t>>(),
                   s.at("response").get<std::vector<std::int32_t>>());
    Llama<T> model(weights, lora);
    const auto logps = model.forward(batch);
    const auto expected = reference.at("logps").get<std::vector<double>>();
    for (std::size_t r = 0; r < expected.size(); ++r)
      CHECK(std::abs(double(logps[r]) - expected[r]) <=
            logp_tolerance * std::max(1.0, std::abs(expected[r])));

    std::vector<T> coefficients, gradients(lora.layout.size(), T(0));
    for (const io::Json& c : reference.at("coefficients")) coefficients.push_back(c.get<T>());
    model.backward(coefficients, gradients);
    for (const TensorSlot& slot : lora.layout.slots()) {
      CAPTURE(slot.name);
      CHECK(distance<T>(std::span(gradients).subspan(slot.offset, slot.size), tensors, "grad." + slot.name) <
            gradient_tolerance);
    }

    merge(weights, lora);
    std::size_t merged = 0;
    for (const TensorSlot& slot : weights.layout.slots()) {
      if (tensors.find("merged." + slot.name) == nullptr) continue;
      CAPTURE(slot.name);
      CHECK(distance<T>(weights.tensor(slot.name), tensors, "merged." + slot.name) < 2e-7);
      ++merged;
    }
    CHECK(merged == lora.layout.slots().size() / 2);
  }
}

}  // namespace

TEST_CASE("Adapters that PEFT wrote give PEFT's log-probabilities, gradients and merged weights in double") {
  check_parity<double>(1e-7, 1e-6);
}

TEST_CASE("Adapters that PEFT wrote give PEFT's log-probabilities, gradients and merged weights in float") {
  check_parity<float>(2e-6, 1e-4);
}
