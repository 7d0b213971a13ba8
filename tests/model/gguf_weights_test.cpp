#include "solopo/model/gguf_weights.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../io/gguf_bytes.hpp"
#include "catch.hpp"
#include "tiny_llama.hpp"

using namespace solopo;
using io::GgufType;

namespace {

// The values of a file's metadata, each of which a test may change.
struct Metadata {
  std::string architecture = "llama";
  std::uint32_t blocks = 2, width = 24, feed_forward = 40, heads = 4, kv_heads = 2, context = 512, rotary = 6,
                vocabulary = 50;
  float eps = 1e-5f, theta = 10000.0f;
  std::string scaling = "none";  // empty: no such key
  std::string factor_key = "rope.scaling.factor";
  float factor = 0;  // 0: no such key
  std::uint32_t experts = 0;
};

test::GgufBytes metadata_bytes(const Metadata& m) {
  test::GgufBytes file;
  const std::string prefix = m.architecture + ".";
  const auto number = [&](const std::string& key, std::uint32_t value) {
    file.key(prefix + key, GgufType::U32).put(value);
  };
  file.key("general.architecture", GgufType::STRING).string(m.architecture);
  number("block_count", m.blocks);
  number("embedding_length", m.width);
  number("feed_forward_length", m.feed_forward);
  number("attention.head_count", m.heads);
  number("attention.head_count_kv", m.kv_heads);
  number("context_length", m.context);
  number("rope.dimension_count", m.rotary);
  number("vocab_size", m.vocabulary);
  if (m.experts > 0) number("expert_count", m.experts);
  file.key(prefix + "attention.layer_norm_rms_epsilon", GgufType::F32).put(m.eps);
  file.key(prefix + "rope.freq_base", GgufType::F32).put(m.theta);
  if (!m.scaling.empty()) file.key(prefix + "rope.scaling.type", GgufType::STRING).string(m.scaling);
  if (m.factor != 0) file.key(prefix + m.factor_key, GgufType::F32).put(m.factor);
  return file;
}

// Row r of a q or k matrix in the file, in terms of our rows: a head's rows i and i + d/2 lie side by side.
std::vector<float> interleaved(const std::vector<float>& rows, std::size_t width, std::size_t d) {
  std::vector<float> out;
  for (std::size_t head = 0; head < rows.size() / width / d; ++head)
    for (std::size_t i = 0; i < d / 2; ++i)
      for (const std::size_t half : {std::size_t{0}, d / 2})
        for (std::size_t c = 0; c < width; ++c) out.push_back(rows[(head * d + half + i) * width + c]);
  return out;
}

// All tensors of `weights` as F32, `skip` left out.
std::string model_bytes(const Metadata& m, const LlamaWeights<float>& weights, const std::string& skip = "") {
  test::GgufBytes file = metadata_bytes(m);
  test::Bytes data;
  for (const TensorSlot& slot : weights.layout.slots()) {
    if (slot.name == skip) continue;
    std::vector<float> values(weights.data.begin() + static_cast<std::ptrdiff_t>(slot.offset),
                              weights.data.begin() + static_cast<std::ptrdiff_t>(slot.offset + slot.size));
    if (m.architecture == "llama" &&
        (slot.name.ends_with("q_proj.weight") || slot.name.ends_with("k_proj.weight")))
      values = interleaved(values, weights.config.hidden_size, weights.config.head_dim);
    file.tensor(gguf_tensor_name(slot.name), {slot.shape.rbegin(), slot.shape.rend()}, 0, data.text.size());
    for (const float v : values) data.put(v);
    while (data.text.size() % 32 != 0) data.put(std::uint8_t{0});
  }
  file.data = data.text;
  return file.text();
}

std::string refusal(const Metadata& m) {
  const test::TemporaryFolder folder;
  const io::GgufFile file(folder.file("m.gguf", metadata_bytes(m).text()));
  try {
    llama_config_from_gguf(file);
  } catch (const ModelError& e) {
    return e.what();
  }
  return "was read";
}

std::string refusal_after(const std::function<void(Metadata&)>& change) {
  Metadata m;
  change(m);
  return refusal(m);
}

}  // namespace

TEST_CASE("every tensor of a model has a name of its own in GGUF") {
  const LlamaLayout layout(test::tiny_config());
  CHECK(gguf_tensor_name("model.layers.11.self_attn.o_proj.weight") == "blk.11.attn_output.weight");
  std::vector<std::string> names;
  for (const TensorSlot& slot : layout.slots()) names.push_back(gguf_tensor_name(slot.name));
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK_THROWS_AS(gguf_tensor_name("model.layers.0.self_attn.q_norm.weight"), ArgumentError);
}

TEST_CASE("weights read from GGUF are the model's, with llama's q and k rows put back in order") {
  for (const bool qwen2 : {false, true})
    for (const bool tied : {false, true}) {
      CAPTURE(qwen2, tied);
      Metadata m;
      m.architecture = qwen2 ? "qwen2" : "llama";
      const auto weights = test::random_weights<float>(test::tiny_config(tied, qwen2));
      const test::TemporaryFolder folder;
      const io::GgufFile file(folder.file("m.gguf", model_bytes(m, weights)));
      const LlamaConfig config = llama_config_from_gguf(file);
      CHECK(config.tie_word_embeddings == tied);
      CHECK(config.attention_bias == qwen2);
      CHECK(read_gguf_weights(file, config).data == weights.data);
    }
}

TEST_CASE("ST25 in GGUF: a missing tensor and a wrong shape are named before memory is taken") {
  const auto weights = test::random_weights<float>(test::tiny_config(true, false));
  const test::TemporaryFolder folder;
  const io::GgufFile file(
      folder.file("m.gguf", model_bytes({}, weights, "model.layers.1.mlp.up_proj.weight")));
  CHECK_THROWS_WITH(read_gguf_weights(file, llama_config_from_gguf(file)),
                    Catch::Contains("missing: blk.1.ffn_up.weight"));
  LlamaConfig wider = llama_config_from_gguf(file);
  wider.vocab_size = 51;
  CHECK_THROWS_WITH(read_gguf_weights(file, wider),
                    Catch::Contains("token_embd.weight is (50, 24), expected (51, 24)"));
}

TEST_CASE(
    "GG21: impossible hyper-parameters are refused by key, without a division by zero or a giant array") {
  CHECK(refusal({}) == "was read");
  CHECK_THAT(refusal_after([](Metadata& m) { m.heads = 0; }), Catch::Contains("num_attention_heads"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.kv_heads = 0; }), Catch::Contains("num_key_value_heads"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.kv_heads = 3; }), Catch::Contains("does not divide"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.width = 25; }), Catch::Contains("head_dim"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.blocks = 1u << 31; }), Catch::Contains("block_count"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.blocks = 1u << 30; }), Catch::Contains("num_hidden_layers"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.rotary = 5; }), Catch::Contains("rope.dimension_count"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.rotary = 8; }), Catch::Contains("rope.dimension_count"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.context = 0; }), Catch::Contains("max_position_embeddings"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.eps = 0; }), Catch::Contains("rms_norm_eps"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.eps = std::numeric_limits<float>::quiet_NaN(); }),
             Catch::Contains("rms_norm_eps"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.theta = 0; }), Catch::Contains("rope_theta"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.theta = std::numeric_limits<float>::quiet_NaN(); }),
             Catch::Contains("rope_theta"));
}

TEST_CASE("what a GGUF file asks for and is not computed is refused by key") {
  CHECK_THAT(refusal_after([](Metadata& m) { m.architecture = "gemma"; }), Catch::Contains("gemma"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.scaling = "yarn"; }), Catch::Contains("yarn"));
  CHECK_THAT(refusal_after([](Metadata& m) { m.experts = 8; }), Catch::Contains("experts"));
  for (const char* key : {"rope.scaling.factor", "rope.scale_linear"}) {
    const auto with = [&](const char* type, float factor) {
      return refusal({.scaling = type, .factor_key = key, .factor = factor});
    };
    CHECK_THAT(with("", 8), Catch::Contains(key) && Catch::Contains("scaling by 8"));
    CHECK(with("", 1) == "was read");
    CHECK(with("none", 8) == "was read");  // llama.cpp does not scale then
  }
}
