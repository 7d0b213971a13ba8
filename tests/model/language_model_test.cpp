#include "solopo/model/language_model.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
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

TEST_CASE("a model with an unknown chat template is loaded, and saved as it was") {
  const Folder folder;
  std::filesystem::copy(tiny, folder.path);
  std::ofstream(folder.path / "chat_template.jinja") << "{{ messages }}";
  const LanguageModel model = load_model(folder.path);
  CHECK(model.chat.kind == text::ChatTemplate::Kind::unknown);
  save_model(folder.path / "saved", model);
  const ModelText saved = load_model_text(folder.path / "saved");
  CHECK(saved.chat == model.chat);
  CHECK(saved.tokenizer.chat_template_source() == "{{ messages }}");
}

TEST_CASE("a model is saved with the chat template it was given") {
  const Folder folder;
  LanguageModel model = load_model(tiny);
  model.tokenizer = text::Tokenizer::from_folder(std::filesystem::path(SOLOPO_SOURCE_DIR) /
                                                 "tests/golden/tokenizer/smollm");
  model.config.vocab_size = model.tokenizer.vocab_size();
  model.chat = text::parse_chat_template("chatml", model.tokenizer);
  save_model(folder.path, model);
  const ModelText saved = load_model_text(folder.path);
  CHECK(saved.chat == model.chat);
  const io::Json generation =
      io::parse_json_file(folder.path / "generation_config.json", io::FileRole::model);
  CHECK(generation.at("eos_token_id") == model.tokenizer.find("<|im_end|>").value());

  save_model(folder.path, load_model(tiny));  // plain, trained on a model whose own is chatml
  std::ofstream(folder.path / "chat_template.jinja") << text::jinja_source(saved.chat);
  model = load_model(folder.path);
  CHECK(model.chat.kind == text::ChatTemplate::Kind::chatml);
  model.chat = {};
  save_model(folder.path, model);
  CHECK(load_model_text(folder.path).chat == model.chat);
}

TEST_CASE("what is left of an older model's folder is not read with the new one") {
  const Folder folder;
  const LanguageModel model = load_model(tiny);
  save_model(folder.path, model);
  const auto names = [&] {
    std::set<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path))
      out.insert(entry.path().filename().string());
    return out;
  };
  const std::set<std::string> expected = names();
  for (const char* stale : {"chat_template.jinja", "model.safetensors.index.json",
                            "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"})
    std::ofstream(folder.path / stale) << "{{ messages }}";
  save_model(folder.path, model);
  CHECK(names() == expected);
  CHECK(load_model(folder.path).chat == model.chat);
}

TEST_CASE("a save that fails leaves no folder that looks like a model") {
  const Folder folder;
  const LanguageModel model = load_model(tiny);
  save_model(folder.path, model);
  std::filesystem::remove(folder.path / "model.safetensors");
  std::filesystem::create_directory(folder.path / "model.safetensors");
  CHECK_THROWS_AS(save_model(folder.path, model), IoError);
  CHECK_FALSE(std::filesystem::exists(folder.path / "config.json"));
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
  CHECK_THAT(with("config.json", "{}" + std::string(1 << 20, ' ')), Catch::Contains("too_large"));
  CHECK_THAT(with("model.safetensors", "short"), Catch::Contains("model.safetensors"));
  CHECK_THAT(with("tokenizer.json", "[]"), Catch::Contains("tokenizer.json"));
  io::Json config = io::parse_json_file(folder.path / "config.json", io::FileRole::model);
  config["vocab_size"] = 10;
  CHECK_THAT(with("config.json", config.dump()), Catch::Contains("vocab"));
  CHECK(refusal(folder.path) == "was read");
}
