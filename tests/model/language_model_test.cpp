#include "solopo/model/language_model.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "catch.hpp"
#include "solopo/model/decoder.hpp"

using namespace solopo;

namespace {

const std::filesystem::path tiny = std::filesystem::path(SOLOPO_SOURCE_DIR) / "examples/data/tiny";

struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("solopo_language_model_" + std::to_string(::getpid()));
  Folder() { std::filesystem::remove_all(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::string refusal(const std::filesystem::path& path) {
  try {
    static_cast<void>(load_model(path));
  } catch (const ModelError& e) {
    return e.what();
  }
  return "was read";
}

}  // namespace

TEST_CASE("a saved model is the model that was saved") {
  const Folder folder;
  const LanguageModel model = load_model(tiny);
  save_model(folder.path, model);
  const LanguageModel again = load_model(folder.path);
  CHECK(again.config == model.config);
  CHECK(again.weights.data == model.weights.data);
  const std::string text = "117amber fox not also since\n204huge lamp\n\n204";
  CHECK(again.tokenizer.encode(text) == model.tokenizer.encode(text));
  CHECK(again.chat.kind == model.chat.kind);
  save_model(folder.path, again);  // over itself
  CHECK(load_model(folder.path).weights.data == model.weights.data);
}

TEST_CASE("the tiny model answers the question its documentation shows") {
  const LanguageModel model = load_model(tiny);
  Decoder decoder(model.weights);
  decoder.read_prompt(model.tokenizer.encode(
      "117amber fox not also since\n204huge lamp about out\n131calm otter by each once rather\n\n204"));
  const auto out = decoder.generate(
      {.max_new_tokens = 4, .stop_tokens = {text::end_of_turn(model.tokenizer, model.chat)}});
  CHECK(model.tokenizer.decode(out[0].tokens) == "huge lamp");
  CHECK(out[0].stopped);
}

TEST_CASE("a folder that is no whole model is refused by the file that is wrong") {
  const Folder folder;
  CHECK_THAT(refusal(folder.path), Catch::Contains("no such file or folder"));
  save_model(folder.path, load_model(tiny));
  const auto with = [&](const char* name, const std::string& content) {
    const std::filesystem::path file = folder.path / name;
    const std::string before = io::read_file(file, io::FileRole::model, 1 << 26);
    std::ofstream(file, std::ios::binary) << content;
    const std::string message = refusal(folder.path);
    std::ofstream(file, std::ios::binary) << before;
    return message;
  };
  CHECK_THAT(with("config.json", "{"), Catch::Contains("config.json"));
  CHECK_THAT(with("model.safetensors", "short"), Catch::Contains("model.safetensors"));
  CHECK_THAT(with("tokenizer.json", "[]"), Catch::Contains("tokenizer.json"));
  io::Json config = io::parse_json_file(folder.path / "config.json", io::FileRole::model);
  config["vocab_size"] = 10;
  CHECK_THAT(with("config.json", config.dump()), Catch::Contains("vocab"));
  CHECK(refusal(folder.path) == "was read");
}
