#include "prompt_model.hpp"

#include <string>

#include "catch.hpp"
#include "choose_template.hpp"
#include "data_fixture.hpp"
#include "solopo/model/language_model.hpp"

using namespace data_fixture;
using Catch::Contains;

namespace {

const std::filesystem::path tiny = std::filesystem::path(SOLOPO_SOURCE_DIR) / "examples/data/tiny";

}  // namespace

TEST_CASE("A model's digest is that of the files that make it, and of no other beside them") {
  const Folder folder;
  std::filesystem::copy(tiny, folder / "model");
  const auto digest = [&] { return model_files_digest(folder / "model", {}); };
  const std::string before = digest();
  for (const char* name : {"eval.json", "eval.json.partial", "pairs.jsonl.manifest.json", "README.md"})
    (void)folder.write(std::string("model/") + name, "{}");
  CHECK(digest() == before);
  std::string last = before;
  for (const char* name :
       {"config.json", "generation_config.json", "model.safetensors", "model.safetensors.index.json",
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "adapter_config.json"}) {
    CAPTURE(name);
    (void)folder.write(std::string("model/") + name, "changed");
    CHECK(digest() != last);
    last = digest();
  }
}

TEST_CASE("A template is the named one, or the model's own where it is known") {
  const Folder folder;
  CHECK(load_prompt_model(tiny).chat.kind == text::ChatTemplate::Kind::plain);
  CHECK_THROWS_AS(load_prompt_model(tiny, "chatlm"), UsageError);
  CHECK_THROWS_WITH(load_prompt_model(tiny, "chatlm"),
                    Contains("--template: 'chatlm' is not known; did you mean 'chatml'?"));
  CHECK_THROWS_AS(load_prompt_model(tiny, "chatml"), ModelError);  // it has no such markers
  std::filesystem::copy(tiny, folder / "model");
  (void)folder.write("model/chat_template.jinja", "{{ messages }}");
  CHECK_THROWS_AS(load_prompt_model(folder / "model"), ModelError);
  CHECK_THROWS_WITH(load_prompt_model(folder / "model"), Contains("choose one by name"));
  CHECK(load_prompt_model(folder / "model", "plain").chat.kind == text::ChatTemplate::Kind::plain);
}

TEST_CASE("A model whose path is not UTF-8 has a name that is") {
  CHECK(name_of_model("models/\xff", "") == "models/\xef\xbf\xbd");
  CHECK(name_of_model("a", "b\xff") == "a with b\xef\xbf\xbd");
}
