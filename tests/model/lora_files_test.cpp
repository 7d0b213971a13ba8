#include "solopo/model/lora_files.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../io/test_files.hpp"
#include "catch.hpp"
#include "solopo/io/json.hpp"
#include "solopo/model/config_json.hpp"
#include "solopo/model/llama.hpp"
#include "tiny_llama.hpp"
#include "tiny_lora.hpp"

using namespace solopo;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const LlamaConfig model = test::tiny_config();
constexpr LoraConfig shape{.rank = 3, .alpha = 6, .targets = Projections::q | Projections::down};

// A good folder of adapters, to be spoiled.
struct Folder : test::TemporaryFolder {
  LoraWeights<float> lora = test::random_lora<float>(model, shape);
  Folder() { save_lora(path(), lora, "models/base"); }

  [[nodiscard]] io::Json config() const {
    return io::parse_json_file(path() / adapter_config_name, io::FileRole::model);
  }
  void set(const char* key, const io::Json& value) const {
    io::Json json = config();
    json[key] = value;
    write(json);
  }
  void write(const io::Json& json) const { std::ofstream(path() / adapter_config_name) << json.dump(2); }
  void write_tensors(const std::vector<io::TensorToWrite>& tensors) const {
    io::write_safetensors(path() / adapter_weights_name, tensors, {});
  }
};

// The message of the ModelError that reading gives.
std::string refusal(const fs::path& folder, const LlamaConfig& base = model) {
  try {
    (void)load_lora(folder, base);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "was read";
}

}  // namespace

TEST_CASE("Adapters are read as they were written, bit for bit") {
  const Folder folder;
  const LoraWeights<float> read = load_lora(folder.path(), model);
  CHECK(read.config == shape);
  CHECK(read.data == folder.lora.data);
  const io::Json json = folder.config();
  CHECK(json.at("peft_type") == "LORA");
  CHECK(json.at("task_type") == "CAUSAL_LM");
  CHECK(json.at("base_model_name_or_path") == "models/base");
  CHECK(json.at("target_modules") == io::Json({"q_proj", "down_proj"}));
  CHECK(json.at("lora_alpha").is_number_integer());
  CHECK(json.at("inference_mode") == true);
  CHECK(json.at("fan_in_fan_out") == false);
}

TEST_CASE("A base whose name is not UTF-8 is written with U+FFFD") {
  const Folder folder;
  save_lora(folder.path(), folder.lora, "models/\xff");
  CHECK(folder.config().at("base_model_name_or_path") == "models/\xef\xbf\xbd");
}

TEST_CASE("A save that fails leaves no folder that looks like adapters") {
  const Folder folder;
  fs::remove(folder.path() / adapter_weights_name);
  fs::create_directory(folder.path() / adapter_weights_name);
  CHECK_THROWS_AS(save_lora(folder.path(), folder.lora, "models/base"), IoError);
  CHECK_FALSE(fs::exists(folder.path() / adapter_config_name));
}

TEST_CASE("An alpha that is no whole number, and alpha over the root of the rank, are read too") {
  const Folder folder;
  folder.set("lora_alpha", 4.5);
  CHECK(load_lora(folder.path(), model).config.alpha == 4.5);
  folder.set("use_rslora", true);
  CHECK(load_lora(folder.path(), model).config.scale() == Approx(4.5 / std::sqrt(3.0)));
}

TEST_CASE("What PEFT writes beside that, and what is switched off, does not matter") {
  const Folder folder;
  const io::Json harmless = {{"peft_version", "0.21.2"},
                             {"init_lora_weights", "gaussian"},
                             {"loftq_config", io::Json::object()},
                             {"megatron_core", "megatron.core"},
                             {"qalora_group_size", 16},
                             {"alpha_pattern", io::Json::object()},
                             {"layers_to_transform", nullptr},
                             {"use_something_new", false},
                             {"lora_dropout", 0.05}};
  for (const auto& [key, value] : harmless.items()) folder.set(key.c_str(), value);
  CHECK(load_lora(folder.path(), model).data == folder.lora.data);
}

TEST_CASE("A setting that would make another model is refused by name") {
  struct Bad {
    const char* key;
    io::Json value;
    const char* words;
  };
  const Bad cases[] = {
      {"peft_type", "LOHA", "'LOHA' is not supported; allowed: LORA"},
      {"peft_type", nullptr, "is required and missing"},
      {"task_type", "SEQ_CLS", "'SEQ_CLS' is not supported; allowed: CAUSAL_LM"},
      {"bias", "lora_only", "'lora_only' is not supported; allowed: none"},
      {"use_dora", true, "not supported"},
      {"fan_in_fan_out", true, "not supported"},
      {"lora_bias", true, "not supported"},
      {"modules_to_save", {"lm_head"}, "[\"lm_head\"] is not supported"},
      {"rank_pattern", {{"q_proj", 4}}, "not supported"},
      {"alpha_pattern", {{"q_proj", 4}}, "not supported"},
      {"layers_to_transform", {0}, "not supported"},
      {"layer_replication", {{0, 1}}, "not supported"},
      {"trainable_token_indices", {1, 2}, "not supported"},
      {"exclude_modules", "q_proj", "not supported"},
      {"use_something_new", true, "not supported"},
      {"init_lora_weights", "pissa_niter_4", "changes the base model"},
      {"r", 0, "0 is not between 1 and 65536"},
      {"r", -1, "-1 is not between"},
      {"r", 1 << 20, "is not between"},
      {"r", "3", "must be an integer"},
      {"r", 3.5, "must be an integer"},
      {"r", 1e300, "must be an integer"},
      {"lora_alpha", 0, "above 0"},
      {"lora_alpha", "six", "must be a number"},
      {"use_rslora", 1, "must be true or false"},
      {"target_modules", "all-linear", "must be a list of names"},
      {"target_modules", io::Json::array(), "is empty"},
      {"target_modules", {"q_proj", "lm_head"}, "'lm_head' is not supported; allowed: q_proj, k"},
      {"target_modules", {"q_proj", 3}, "'3' is not supported"}};
  for (const Bad& bad : cases) {
    CAPTURE(bad.key, bad.value.dump());
    const Folder folder;
    folder.set(bad.key, bad.value);
    const std::string message = refusal(folder.path());
    CHECK_THAT(message, Contains(bad.words) && Contains(adapter_config_name) && Contains(bad.key));
  }
}

TEST_CASE("A file that is missing, cut or no JSON object is refused by name") {
  CHECK_THAT(refusal("/nowhere"), Contains(adapter_config_name));
  {
    const Folder folder;
    fs::remove(folder.path() / adapter_weights_name);
    CHECK_THAT(refusal(folder.path()), Contains(adapter_weights_name));
  }
  {
    const Folder folder;
    fs::resize_file(folder.path() / adapter_weights_name, 300);
    CHECK_THAT(refusal(folder.path()), Contains(adapter_weights_name));
  }
  {
    const Folder folder;
    std::ofstream(folder.path() / adapter_config_name, std::ios::app) << std::string(1 << 20, ' ');
    CHECK_THAT(refusal(folder.path()), Contains("too_large"));
  }
  for (const char* text : {"", "[]", "{\"r\": ", "3"}) {
    CAPTURE(text);
    const Folder folder;
    std::ofstream(folder.path() / adapter_config_name) << text;
    CHECK_THAT(refusal(folder.path()), Contains(adapter_config_name));
  }
}

TEST_CASE("Tensors that are missing, unexpected or of another shape are all listed") {
  const Folder folder;
  auto tensors = tensors_to_write(folder.lora.layout, folder.lora.data.data());
  tensors.front().name = "base_model.model.model.embed_tokens.lora_embedding_A";
  tensors.back().shape = {3, 24};
  folder.write_tensors(tensors);
  CHECK_THAT(
      refusal(folder.path()),
      Contains("[tensors]") && Contains("missing: base_model.model.model.layers.0.self_attn.q_proj.lora_A") &&
          Contains("unexpected: base_model.model.model.embed_tokens.lora_embedding_A") &&
          Contains("wrong shape: base_model.model.model.layers.1.mlp.down_proj.lora_B.weight is (3, 24), "
                   "expected (24, 3)"));
}

TEST_CASE("Another rank than the configuration's, targets it does not name, and integers are refused") {
  const Folder folder;
  folder.set("r", 4);
  CHECK_THAT(refusal(folder.path()), Contains("wrong shape") && Contains("expected (4, 24)"));
  folder.set("r", 60000);  // no memory is taken for it
  CHECK_THAT(refusal(folder.path()), Contains("wrong shape"));
  folder.set("r", 3);
  folder.set("target_modules", {"q_proj"});
  CHECK_THAT(refusal(folder.path()), Contains("unexpected: ") && Contains("down_proj"));
  folder.set("target_modules", {"q_proj", "down_proj", "up_proj"});
  CHECK_THAT(refusal(folder.path()), Contains("missing: ") && Contains("up_proj"));
  folder.set("target_modules", {"q_proj", "down_proj"});
  auto tensors = tensors_to_write(folder.lora.layout, folder.lora.data.data());
  for (io::TensorToWrite& tensor : tensors) tensor.dtype = io::Dtype::I32;
  folder.write_tensors(tensors);
  CHECK_THAT(refusal(folder.path()), Contains("unsupported_dtype"));
}

TEST_CASE("Adapters of another base model are refused") {
  const Folder folder;
  LlamaConfig other = model;
  other.num_hidden_layers = 3;
  CHECK_THAT(refusal(folder.path(), other),
             Contains("not those of these adapters on this base model; missing: ") && Contains("layers.2"));
  other.num_hidden_layers = 1;
  CHECK_THAT(refusal(folder.path(), other), Contains("unexpected: ") && Contains("layers.1"));
  other = model;
  other.intermediate_size = 48;
  CHECK_THAT(refusal(folder.path(), other), Contains("is (3, 40), expected (3, 48)"));
}
