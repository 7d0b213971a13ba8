#include "solopo/text/tokenizer_writer.hpp"

#include <iostream>

#include "../io/test_files.hpp"
#include "../support/smollm2.hpp"
#include "catch.hpp"
#include "fixtures.hpp"
#include "solopo/text/chat_template.hpp"

using namespace solopo;
using namespace solopo::test;
using solopo::text::Tokenizer;

namespace {

const std::vector<std::string> texts = {"It's 1234 o'clock,  isn't it?\n\n",
                                        "caf\u00e9 cafe\u0301 \u4e2d\u6587", "<|im_start|>user\nHi<|im_end|>",
                                        "a <l> b <w> <long <longer>"};

void check_equal(const Tokenizer& a, const Tokenizer& b) {
  REQUIRE(a.vocab_size() == b.vocab_size());
  for (std::int32_t id = 0; id < a.vocab_size(); ++id) {
    if (a.token(id) != b.token(id) || a.is_special(id) != b.is_special(id)) FAIL_CHECK("token " << id);
  }
  for (const std::string& text : texts) {
    for (const bool special : {false, true}) CHECK(a.encode(text, special) == b.encode(text, special));
  }
  CHECK(a.bos_id() == b.bos_id());
  CHECK(a.eos_id() == b.eos_id());
  CHECK(a.adds_bos() == b.adds_bos());
  CHECK(a.chat_template_source() == b.chat_template_source());
}

// A small vocabulary without files of its own.
text::GgufVocabulary rebuilt(const char* pre) {
  text::GgufVocabulary v;
  v.file = "x.gguf";
  v.model = "gpt2";
  v.pre = pre;
  for (int b = 0; b < 256; ++b)
    v.tokens.push_back(text::to_byte_alphabet(std::string(1, static_cast<char>(b))));
  v.tokens.insert(v.tokens.end(),
                  {"\u0120t", "he", "\u0120the", "12", "<|im_start|>", "<|im_end|>", "<long", "[unused]"});
  v.merges = {"\u0120 t", "h e", "\u0120t he", "1 2"};
  v.types.assign(v.tokens.size(), 1);
  v.types[260] = v.types[261] = 3;
  v.types[262] = 4;
  v.types[263] = 5;
  v.bos = 260;
  v.eos = 261;
  v.pad = 261;
  v.chat_template = "{% for m in messages %}{{ \"\u00e9\\n\" }}{% endfor %}";
  return v;
}

}  // namespace

TEST_CASE("files that were read are saved byte for byte") {
  const TemporaryFolder from, to;
  const auto json = bytes_of(tokenizer_golden("odd") / "tokenizer.json");
  (void)from.file("tokenizer.json", json);
  (void)from.file("tokenizer_config.json", "{\"eos_token\": \"<|endoftext|>\", \"extra\": [1, 2]}");
  (void)from.file("chat_template.jinja", "{{ x }}");
  const auto tokenizer = Tokenizer::from_folder(from.path());
  tokenizer.save(to.path());
  CHECK(bytes_of(to / "tokenizer.json") == json);
  CHECK(bytes_of(to / "tokenizer_config.json") == bytes_of(from / "tokenizer_config.json"));
  CHECK(bytes_of(to / "chat_template.jinja") == "{{ x }}");
  CHECK(to.entries() == 4);  // and special_tokens_map.json, which was not there
  check_equal(tokenizer, Tokenizer::from_folder(to.path()));
}

TEST_CASE("a tokenizer rebuilt from GGUF reads back the same") {
  for (const char* pre : {"smollm", "gpt-2", "llama-bpe", "qwen2"}) {
    const Tokenizer tokenizer(text::read_tokenizer_gguf(rebuilt(pre)));
    const TemporaryFolder folder;
    tokenizer.save(folder.path());
    CHECK(folder.entries() == 3);
    check_equal(tokenizer, Tokenizer::from_folder(folder.path()));
  }
}

TEST_CASE("another chat template is read back, and the rest of the configuration stays") {
  using text::ChatTemplate;
  const TemporaryFolder from;
  (void)from.file("tokenizer.json", bytes_of(tokenizer_golden("smollm") / "tokenizer.json"));
  (void)from.file("tokenizer_config.json", R"({"chat_template": "{{ a }}", "extra": [1, 2]})");
  (void)from.file("chat_template.jinja", "{{ b }}");
  for (const Tokenizer& tokenizer :
       {Tokenizer::from_folder(from.path()), Tokenizer(text::read_tokenizer_gguf(rebuilt("smollm")))}) {
    for (const char* name : {"plain", "chatml", "qwen"}) {
      const ChatTemplate chat = text::parse_chat_template(name, tokenizer);
      const TemporaryFolder to;
      tokenizer.save(to.path(), text::jinja_source(chat));
      CHECK(to.entries() == 3);
      CHECK(text::detect_chat_template(Tokenizer::from_folder(to.path())) == chat);
      const auto config = nlohmann::json::parse(bytes_of(to / "tokenizer_config.json"));
      CHECK(config.at("chat_template") == text::jinja_source(chat));
      CHECK(config.contains("extra") == (tokenizer.file() != "x.gguf"));
    }
  }
}

TEST_CASE("an older tokenizer's chat template does not outlive it") {
  const TemporaryFolder folder;
  (void)folder.file("chat_template.jinja", "{{ x }}");
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  tokenizer.save(folder.path());
  CHECK(Tokenizer::from_folder(folder.path()).chat_template_source() == tokenizer.chat_template_source());
}

TEST_CASE("SmolLM2's tokenizer rebuilt from GGUF reads back the same") {
  const auto path = smollm2();
  if (!path) {
    std::cout << "skipped: SmolLM2's tokenizer rebuilt from GGUF (set SOLOPO_SMOLLM2 to the weights)\n";
    return;
  }
  const auto tokenizer = Tokenizer::from_gguf(io::GgufFile(*path));
  const TemporaryFolder folder;
  tokenizer.save(folder.path());
  check_equal(tokenizer, Tokenizer::from_folder(folder.path()));
}

TEST_CASE("a folder that does not exist is an error, and nothing is written") {
  const TemporaryFolder folder;
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  CHECK_THROWS_AS(tokenizer.save(folder / "none"), IoError);
  CHECK(folder.entries() == 0);
}
