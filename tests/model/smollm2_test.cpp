// The real model against transformers' reading of the same file (script/golden/smollm2.py).
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "catch.hpp"
#include "smollm2.hpp"
#include "solopo/io/json.hpp"
#include "solopo/io/safetensors.hpp"
#include "solopo/model/decoder.hpp"
#include "solopo/model/gguf_weights.hpp"
#include "solopo/model/llama.hpp"

using namespace solopo;

TEST_CASE("SmolLM2's logits and greedy text equal transformers'") {
  const auto path = test::smollm2();
  if (!path) {
    std::puts(
        "SKIPPED: SmolLM2's logits and greedy text equal transformers' (weights not found; "
        "script/fetch_smollm2 downloads them)");
    return;
  }
  const io::GgufFile file(*path);
  const auto weights = read_gguf_weights(file, llama_config_from_gguf(file));
  const auto golden = std::filesystem::path(SOLOPO_SOURCE_DIR) / "tests/golden/smollm2";
  const io::Json reference = io::parse_json_file(golden / "reference.json", io::FileRole::data);
  const io::SafetensorsFile tensors(golden / "reference.safetensors");
  const auto& prompts = reference.at("prompts");
  const std::size_t stored = tensors.find("logits")->shape.at(1);
  std::vector<float> expected(prompts.size() * stored);
  std::vector<std::int32_t> positions(expected.size());
  tensors.read_f32("logits", expected);
  REQUIRE(tensors.find("positions")->dtype == io::Dtype::I32);
  tensors.read_bytes("positions", std::as_writable_bytes(std::span(positions)));
  Llama<float> model(weights);
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    const auto logits = model.last_logits(prompts[p].at("ids").get<std::vector<std::int32_t>>());
    double worst = 0;
    for (std::size_t i = 0; i < stored; ++i)
      worst = std::max(worst, std::abs(double(logits[static_cast<std::size_t>(positions[p * stored + i])]) -
                                       expected[p * stored + i]));
    CAPTURE(p);
    CHECK(worst < 2e-4);
  }
  Decoder decoder(weights);
  decoder.read_prompt(reference.at("chat").at("ids").get<std::vector<std::int32_t>>());
  const auto continuation = reference.at("chat").at("greedy_ids").get<std::vector<std::int32_t>>();
  const auto out = decoder.generate({.max_new_tokens = static_cast<std::int32_t>(continuation.size())});
  CHECK(out[0].tokens == continuation);
}
