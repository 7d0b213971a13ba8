#include "solopo/model/config_json.hpp"

#include <string>

#include "catch.hpp"

using namespace solopo;

namespace {

io::Json good() {
  return {{"model_type", "llama"},    {"hidden_act", "silu"},     {"vocab_size", 96},
          {"hidden_size", 32},        {"intermediate_size", 56},  {"num_hidden_layers", 2},
          {"num_attention_heads", 4}, {"num_key_value_heads", 2}, {"max_position_embeddings", 128},
          {"rms_norm_eps", 1e-5},     {"rope_theta", 10000.0},    {"tie_word_embeddings", false},
          {"rope_scaling", nullptr},  {"attention_bias", false}};
}

// Reads `json` and returns what the error says, or nothing.
std::string refusal(const io::Json& json) {
  try {
    llama_config_from_json(json, "config.json");
  } catch (const ModelError& e) {
    return e.what();
  }
  return {};
}

std::string refusal_with(const char* key, const io::Json& value) {
  io::Json json = good();
  json[key] = value;
  return refusal(json);
}

}  // namespace

TEST_CASE("CF1: a good configuration is read, theta under its old and its new name") {
  CHECK(llama_config_from_json(good(), "f").head_dim == 8);
  io::Json json = good();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500.0}};
  CHECK(llama_config_from_json(json, "f").rope_theta == 500.0);
  json["model_type"] = "qwen2";
  CHECK(llama_config_from_json(json, "f").attention_bias);
}

TEST_CASE("CF1: every key that changes the mathematics is required, by name") {
  for (const char* key : {"model_type", "hidden_act", "vocab_size", "hidden_size", "intermediate_size",
                          "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                          "max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings"}) {
    io::Json json = good();
    json.erase(key);
    CAPTURE(key);
    CHECK_THAT(refusal(json), Catch::Contains(key) && Catch::Contains("missing"));
  }
}

TEST_CASE("CF1: a wrong type is refused by key") {
  CHECK_THAT(refusal_with("hidden_size", "32"), Catch::Contains("hidden_size") && Catch::Contains("integer"));
  CHECK_THAT(refusal_with("hidden_size", 32.0), Catch::Contains("integer"));
  CHECK_THAT(refusal_with("vocab_size", 1ull << 40), Catch::Contains("range"));
  CHECK_THAT(refusal_with("rms_norm_eps", "x"), Catch::Contains("number"));
  CHECK_THAT(refusal_with("tie_word_embeddings", 1), Catch::Contains("true or false"));
  CHECK_THAT(refusal(io::Json::array()), Catch::Contains("object"));
}

TEST_CASE("CF1: what is not computed is refused with what is allowed") {
  CHECK_THAT(refusal_with("model_type", "mixtral"),
             Catch::Contains("mixtral") && Catch::Contains("llama, qwen2"));
  CHECK_THAT(refusal_with("model_type", "qwen3"), Catch::Contains("qwen3"));
  CHECK_THAT(refusal_with("hidden_act", "gelu"), Catch::Contains("silu"));
  CHECK_THAT(refusal_with("attention_bias", true), Catch::Contains("attention_bias"));
  CHECK_THAT(refusal_with("mlp_bias", true), Catch::Contains("mlp_bias"));
  CHECK_THAT(refusal_with("rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}),
             Catch::Contains("llama3"));
  CHECK_THAT(refusal_with("rope_scaling", {{"type", "linear"}}), Catch::Contains("linear"));
  CHECK_THAT(refusal_with("rope_scaling", {{"factor", 8.0}}),  // without a type
             Catch::Contains("rope_scaling.factor") && Catch::Contains("8.0"));
  CHECK_THAT(refusal_with("rope_parameters", {{"type", nullptr}, {"factor", 2}, {"rope_theta", 1e4}}),
             Catch::Contains("rope_parameters.factor"));
  CHECK(refusal_with("rope_scaling", {{"factor", 1.0}}).empty());
  CHECK_THAT(refusal_with("rope_parameters", {{"rope_type", "yarn"}, {"rope_theta", 1e4}}),
             Catch::Contains("yarn"));
  CHECK_THAT(refusal_with("use_sliding_window", true), Catch::Contains("sliding"));
}

TEST_CASE("CF1: impossible shapes are refused before they divide or allocate") {
  CHECK_THAT(refusal_with("num_attention_heads", 0), Catch::Contains("num_attention_heads"));
  CHECK_THAT(refusal_with("num_key_value_heads", 3), Catch::Contains("divide"));
  CHECK_THAT(refusal_with("num_hidden_layers", 2147483647), Catch::Contains("num_hidden_layers"));
  CHECK_THAT(refusal_with("head_dim", 7), Catch::Contains("even"));
  CHECK_THAT(refusal_with("rms_norm_eps", 0.0), Catch::Contains("rms_norm_eps"));
  CHECK_THAT(refusal_with("rope_theta", -1.0), Catch::Contains("rope_theta"));
  CHECK_THAT(refusal_with("vocab_size", -5), Catch::Contains("vocab_size"));
}

TEST_CASE("a configuration survives being written and read") {
  LlamaConfig config = llama_config_from_json(good(), "f");
  config.eos_token_id = 2;
  CHECK(llama_config_from_json(llama_config_to_json(config), "g") == config);
}
