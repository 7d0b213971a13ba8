#include "solopo/text/tokenizer_json.hpp"

#include <fstream>
#include <functional>

#include "../io/test_files.hpp"
#include "catch.hpp"
#include "fixtures.hpp"

using namespace solopo;
using namespace solopo::test;
using nlohmann::json;
using solopo::text::Tokenizer;

namespace {

json tiny() { return json::parse(bytes_of(tokenizer_golden("gpt2") / "tokenizer.json")); }

// The message of the error that reading the tiny tokenizer after `change` ends with, empty: none.
std::string refusal(const std::function<void(json&)>& change, const char* code) {
  json document = tiny();
  change(document);
  const TemporaryFolder folder;
  const auto path = folder.file("tokenizer.json", document.dump());
  try {
    (void)Tokenizer::from_folder(folder.path());
  } catch (const ModelError& error) {
    CHECK(error.code() == code);
    CHECK(error.where().file == path.string());
    return error.what();
  }
  return {};
}

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("merges may be written as one string or as two") {
  const auto strings = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  json document = tiny();
  REQUIRE(document["model"]["merges"][0].is_string());
  for (json& merge : document["model"]["merges"]) {
    const std::string text = merge;
    merge = {text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)};
  }
  const TemporaryFolder folder;
  (void)folder.file("tokenizer.json", document.dump());
  const auto pairs = Tokenizer::from_folder(folder.path());
  const std::string text = "It is a truth universally acknowledged";
  CHECK(pairs.encode(text) == strings.encode(text));
}

TEST_CASE("a gap in the ids is refused") {
  const auto message = refusal([](json& d) { d["model"]["vocab"]["new"] = 5000; }, "vocab");
  CHECK_THAT(message, Contains("model.vocab") && Contains("'new'") && Contains("5000"));
}

TEST_CASE("an id that two tokens have is refused") {
  const auto message = refusal([](json& d) { d["model"]["vocab"]["new"] = 3; }, "vocab");
  CHECK_THAT(message, Contains("model.vocab") && Contains("both have id 3"));
}

TEST_CASE("an id that is no whole number is refused") {
  for (const json& id : {json(-1), json(1.5), json("1"), json(nullptr), json(1ull << 40)}) {
    CHECK_THAT(refusal([&](json& d) { d["model"]["vocab"]["new"] = id; }, "vocab"), Contains("'new'"));
  }
}

TEST_CASE("a merge of an unknown piece is refused with its index") {
  CHECK_THAT(refusal([](json& d) { d["model"]["merges"][7] = "nope x"; }, "vocab"),
             Contains("model.merges[7]") && Contains("'nope'"));
  CHECK_THAT(refusal(
                 [](json& d) {
                   d["model"]["merges"][7] = {"z", "q"};
                 },
                 "vocab"),
             Contains("model.merges[7]") && Contains("'zq'"));
}

TEST_CASE("a merge that is not two tokens is refused with its index") {
  for (const json& merge : {json("a"), json("a b c"), json({"a"}), json({"a", 1}), json(3)}) {
    CHECK_THAT(refusal([&](json& d) { d["model"]["merges"][2] = merge; }, "vocab"),
               Contains("model.merges[2]"));
  }
}

TEST_CASE("an added token that collides with the vocabulary is refused") {
  CHECK_THAT(refusal([](json& d) { d["added_tokens"][0]["content"] = "!"; }, "vocab"),
             Contains("added_tokens[0]") && Contains("'!'"));
  CHECK_THAT(refusal([](json& d) { d["added_tokens"][0]["id"] = 4; }, "vocab"), Contains("added_tokens"));
  CHECK_THAT(refusal([](json& d) { d["added_tokens"].push_back(d["added_tokens"][0]); }, "vocab"),
             Contains("added_tokens[1]"));
  CHECK_THAT(refusal([](json& d) { d["added_tokens"][0]["content"] = ""; }, "vocab"),
             Contains("added_tokens[0]"));
}

TEST_CASE("an unknown component is refused by its name") {
  const auto of = [](const char* part, const json& value) {
    return refusal([&](json& d) { d[part] = value; }, "tokenizer");
  };
  CHECK_THAT(of("normalizer", {{"type", "Lowercase"}}), Contains("normalizer") && Contains("'Lowercase'"));
  CHECK_THAT(of("normalizer", {{"type", "NFKC"}}), Contains("'NFKC'"));
  CHECK_THAT(of("pre_tokenizer", {{"type", "Metaspace"}}),
             Contains("pre_tokenizer") && Contains("'Metaspace'"));
  CHECK_THAT(of("pre_tokenizer", nullptr), Contains("ByteLevel"));
  CHECK_THAT(of("decoder", {{"type", "WordPiece"}}), Contains("decoder") && Contains("'WordPiece'"));
  CHECK_THAT(of("decoder", nullptr), Contains("decoder"));
  CHECK_THAT(of("post_processor", {{"type", "BertProcessing"}}),
             Contains("post_processor") && Contains("'BertProcessing'"));
  CHECK_THAT(refusal([](json& d) { d["model"]["type"] = "Unigram"; }, "tokenizer"), Contains("Unigram"));
}

TEST_CASE("a pattern that is not known is refused and shown") {
  const auto split = [](const char* regex, const char* behavior, bool invert) {
    return json{
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", behavior}, {"invert", invert}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  };
  const auto refused = [&](const json& pre) {
    return refusal([&](json& d) { d["pre_tokenizer"] = pre; }, "tokenizer");
  };
  const char* known = text::pattern_source::llama3.data();
  CHECK_THAT(refused(split(R"(\w+|\s+)", "Isolated", false)),
             Contains(R"(\w+|\s+)") && Contains("pretokenizers[0]"));
  CHECK_THAT(refused(split(known, "MergedWithNext", false)), Contains("behavior"));
  CHECK(refused(split(known, "Isolated", false)).empty());
  CHECK(refused(split(known, "Removed", true)).empty());
  json twice = split(known, "Isolated", false);
  twice["pretokenizers"][1]["use_regex"] = true;
  CHECK_THAT(refused(twice), Contains("use_regex"));
  CHECK_THAT(refused({{"type", "ByteLevel"}, {"add_prefix_space", true}}), Contains("add_prefix_space"));
}

TEST_CASE("options of the model that change ids are refused") {
  CHECK_THAT(refusal([](json& d) { d["model"]["dropout"] = 0.1; }, "tokenizer"), Contains("model.dropout"));
  CHECK_THAT(refusal([](json& d) { d["model"]["byte_fallback"] = true; }, "tokenizer"),
             Contains("byte_fallback"));
  CHECK_THAT(refusal([](json& d) { d["model"]["end_of_word_suffix"] = "</w>"; }, "tokenizer"),
             Contains("end_of_word_suffix"));
  CHECK_THAT(refusal([](json& d) { d["model"]["unk_token"] = "nope"; }, "vocab"), Contains("unk_token"));
  CHECK_THAT(refusal([](json& d) { d["model"]["ignore_merges"] = 1; }, "tokenizer"),
             Contains("ignore_merges"));
}

TEST_CASE("text that is not JSON, or names a key twice, is refused with its position") {
  const TemporaryFolder folder;
  const auto code = [&](std::string_view text) {
    (void)folder.file("tokenizer.json", text);
    return code_of([&] { (void)Tokenizer::from_folder(folder.path()); });
  };
  CHECK(code("{") == "json");
  CHECK(code(R"({"model": {"vocab": {"a": 0, "a": 1}}})") == "duplicate");
  CHECK(code("[]") == "tokenizer");
  CHECK(code("{}") == "tokenizer");
  CHECK(code(R"({"model": {"vocab": []}})") == "vocab");
  CHECK(code("\xff") == "utf8");
}

TEST_CASE("a folder without tokenizer.json is refused") {
  const TemporaryFolder folder;
  CHECK(code_of([&] { (void)Tokenizer::from_folder(folder.path()); }) == "missing");
}

TEST_CASE("marked tokens and the chat template come from the files beside") {
  const TemporaryFolder folder;
  (void)folder.file("tokenizer.json", tiny().dump());
  (void)folder.file(
      "tokenizer_config.json",
      R"({"eos_token": {"content": "<|endoftext|>"}, "chat_template": [{"name": "tools", "template": "x"},
                        {"name": "default", "template": "y"}]})");
  (void)folder.file("special_tokens_map.json", R"({"bos_token": "!", "eos_token": "!"})");
  auto tokenizer = Tokenizer::from_folder(folder.path());
  CHECK(tokenizer.eos_id() == tokenizer.find("<|endoftext|>"));
  CHECK(tokenizer.bos_id() == tokenizer.find("!"));
  CHECK(tokenizer.chat_template_source() == "y");
  (void)folder.file("chat_template.jinja", "z");
  CHECK(Tokenizer::from_folder(folder.path()).chat_template_source() == "z");

  (void)folder.file("tokenizer_config.json", R"({"eos_token": "<none>"})");
  CHECK(code_of([&] { (void)Tokenizer::from_folder(folder.path()); }) == "vocab");
}

TEST_CASE("tokens that only the configuration lists are added") {
  const TemporaryFolder folder;
  const json document = tiny();
  (void)folder.file("tokenizer.json", document.dump());
  const auto next = std::to_string(document["model"]["vocab"].size() + 1);
  (void)folder.file("tokenizer_config.json", R"({"added_tokens_decoder": {")" + next +
                                                 R"(": {"content": "<more>", "special": true}}})");
  const auto tokenizer = Tokenizer::from_folder(folder.path());
  REQUIRE(tokenizer.find("<more>"));
  CHECK(tokenizer.is_special(*tokenizer.find("<more>")));
  (void)folder.file("tokenizer_config.json", R"({"added_tokens_decoder": {"x1": {"content": "<more>"}}})");
  CHECK(code_of([&] { (void)Tokenizer::from_folder(folder.path()); }) == "vocab");
}

TEST_CASE("a configuration that lists very many tokens again is read in seconds") {
  constexpr int count = 60000;
  json document = tiny(), decoder = json::object();
  const auto id = document["model"]["vocab"].size();
  for (int i = 0; i < count; ++i) {
    document["added_tokens"].push_back({{"id", id + i}, {"content", "<a" + std::to_string(i) + ">"}});
    decoder[std::to_string(id + i)] = {{"content", "<b" + std::to_string(i) + ">"}};
  }
  const TemporaryFolder folder;
  (void)folder.file("tokenizer.json", document.dump());
  (void)folder.file("tokenizer_config.json", json{{"added_tokens_decoder", decoder}}.dump());
  const CpuTimer timer;
  const auto spec = text::read_tokenizer_folder(folder.path());
  CHECK(timer.seconds() < 2);  // 0.2 s; each looked for among all the others: 10 s
  CHECK(spec.added.size() == 2 * count + 1);
}

TEST_CASE("a configuration that is far too large is not read") {
  const TemporaryFolder folder;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    (void)folder.file("tokenizer.json", tiny().dump());
    (void)folder.file(name, "{}" + std::string(std::size_t{16} << 20, ' '));
    CHECK(code_of([&] { (void)Tokenizer::from_folder(folder.path()); }) == "too_large");
    (void)folder.file(name, "{}");
    CHECK_NOTHROW(Tokenizer::from_folder(folder.path()));
  }
}
