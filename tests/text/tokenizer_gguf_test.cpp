#include "solopo/text/tokenizer_gguf.hpp"

#include "../io/test_files.hpp"
#include "catch.hpp"
#include "fixtures.hpp"

using namespace solopo;
using namespace solopo::test;
using Catch::Matchers::Contains;
using solopo::text::GgufVocabulary;
using solopo::text::Tokenizer;

namespace {

// The 256 bytes, two merges, two markers.
GgufVocabulary small() {
  GgufVocabulary out;
  out.file = "small.gguf";
  out.model = "gpt2";
  out.pre = "smollm";
  for (int b = 0; b < 256; ++b)
    out.tokens.push_back(text::to_byte_alphabet(std::string(1, static_cast<char>(b))));
  out.tokens.insert(out.tokens.end(), {"th", "the", "<|im_start|>", "<|im_end|>"});
  out.types.assign(260, 1);
  out.types[258] = out.types[259] = 3;
  out.merges = {"t h", "th e"};
  out.bos = 258;
  out.eos = 259;
  return out;
}

std::string refusal(const std::function<void(GgufVocabulary&)>& change, const char* code = "vocab") {
  GgufVocabulary vocabulary = small();
  change(vocabulary);
  try {
    (void)Tokenizer(text::read_tokenizer_gguf(std::move(vocabulary)));
  } catch (const ModelError& error) {
    CHECK(error.code() == code);
    CHECK(error.where().file == "small.gguf");
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("a GGUF vocabulary encodes and decodes") {
  const Tokenizer tokenizer(text::read_tokenizer_gguf(small()));
  CHECK(tokenizer.vocab_size() == 260);
  CHECK(tokenizer.encode("the") == Ids{257});
  CHECK(tokenizer.encode("<|im_end|>", true) == Ids{259});
  CHECK(tokenizer.encode("<|im_end|>").size() == 10);
  CHECK(tokenizer.bos_id() == 258);
  CHECK(tokenizer.eos_id() == 259);
  CHECK_FALSE(tokenizer.adds_bos());
}

TEST_CASE("token_type and tokens must be of one length") {
  CHECK_THAT(refusal([](auto& v) { v.types.pop_back(); }),
             Contains("token_type") && Contains("259") && Contains("260"));
  CHECK(refusal([](auto& v) { v.types.clear(); }).empty());
  CHECK_THAT(refusal([](auto& v) { v.tokens.clear(); }), Contains("tokens"));
}

TEST_CASE("a token type that does not exist is refused with its index") {
  CHECK_THAT(refusal([](auto& v) { v.types[9] = 99; }), Contains("token_type[9]") && Contains("99"));
  CHECK_THAT(refusal([](auto& v) { v.types[9] = 0; }), Contains("token_type[9]"));
  CHECK_THAT(refusal([](auto& v) { v.types[9] = -1; }), Contains("token_type[9]"));
}

TEST_CASE("byte tokens are refused, well formed or not") {
  for (const char* token : {"<0x-1>", "<0xZZ>", "<0x41>"}) {
    CHECK_THAT(refusal([&](auto& v) {
                 v.tokens[9] = token;
                 v.types[9] = 6;
               }),
               Contains("token_type[9]") && Contains(token));
  }
}

TEST_CASE("bos, eos and padding must be tokens") {
  CHECK_THAT(refusal([](auto& v) { v.bos = 260; }), Contains("bos_token_id") && Contains("260"));
  CHECK_THAT(refusal([](auto& v) { v.eos = -1; }), Contains("eos_token_id"));
  CHECK_THAT(refusal([](auto& v) { v.pad = 1ll << 33; }), Contains("padding_token_id"));
}

TEST_CASE("a merge without a blank or of unknown parts is refused with its index") {
  for (const char* merge : {"the", "", " ", "a ", " a", "a b c", "t  h"}) {
    CHECK_THAT(refusal([&](auto& v) { v.merges[1] = merge; }), Contains("merges[1]"));
  }
  CHECK_THAT(refusal([](auto& v) { v.merges[1] = "no pe"; }), Contains("merges[1]") && Contains("'no'"));
  CHECK_THAT(refusal([](auto& v) { v.merges[1] = "q q"; }), Contains("merges[1]") && Contains("'qq'"));
}

TEST_CASE("a token that is there twice is refused with its index") {
  CHECK_THAT(refusal([](auto& v) { v.tokens[257] = "th"; }), Contains("tokens[257]") && Contains("'th'"));
}

TEST_CASE("a token that is not UTF-8, or a marker without text, is refused with its index") {
  CHECK_THAT(refusal([](auto& v) { v.tokens[256] = "\xff"; }), Contains("tokens[256]"));
  CHECK_THAT(refusal([](auto& v) { v.tokens[259] = ""; }), Contains("tokens[259]"));
}

TEST_CASE("a pre-tokenizer or model that is not known is refused by its name") {
  CHECK_THAT(refusal([](auto& v) { v.pre = "viking"; }, "tokenizer"),
             Contains("'viking'") && Contains("llama-bpe"));
  CHECK_THAT(refusal([](auto& v) { v.pre = ""; }, "tokenizer"),
             Contains("tokenizer.ggml.pre") && Contains("missing"));
  CHECK_THAT(refusal([](auto& v) { v.pre = "default"; }, "tokenizer"), Contains("'default'"));
  CHECK_THAT(refusal([](auto& v) { v.model = "llama"; }, "tokenizer"), Contains("'llama'"));
  for (const char* pre : {"smollm", "gpt-2", "llama-bpe", "qwen2"}) {
    CHECK(refusal([&](auto& v) { v.pre = pre; }).empty());
  }
}

TEST_CASE("the name of a pre-tokenizer says how numbers are cut and what is normalised") {
  const auto with = [](const char* pre) {
    GgufVocabulary v = small();
    v.pre = pre;
    v.tokens.insert(v.tokens.end(), {"12", "123", "\u00c3\u00a9"});
    v.merges.insert(v.merges.end(), {"1 2", "12 3", "\u00c3 \u00a9"});
    v.types.resize(263, 1);
    return Tokenizer(text::read_tokenizer_gguf(v));
  };
  CHECK(with("gpt-2").encode("123").size() == 1);
  CHECK(with("llama-bpe").encode("1231").size() == 2);
  CHECK(with("smollm").encode("123").size() == 3);
  CHECK(with("qwen2").encode("123").size() == 3);
  CHECK(with("qwen2").encode("e\u0301") == Ids{262});
  CHECK(with("gpt-2").encode("e\u0301").size() == 3);
  CHECK(with("llama-bpe").adds_bos());
}

TEST_CASE("a chat template of more than a mebibyte is refused") {
  CHECK_THAT(refusal([](auto& v) { v.chat_template = std::string((1 << 20) + 1, 'x'); }, "template"),
             Contains("tokenizer.chat_template"));
}

namespace {

// A GGUF file without tensors.
struct GgufWriter {
  Bytes body;
  std::uint64_t keys = 0;
  Bytes& key(std::string_view name, std::uint32_t type) {
    ++keys;
    return body.string(name).put(type);
  }
  [[nodiscard]] std::string file() const {
    return Bytes().raw("GGUF").put(std::uint32_t{3}).put(std::uint64_t{0}).put(keys).raw(body.text).text;
  }
};

constexpr std::uint32_t u32 = 4, i32 = 5, f32 = 6, string = 8, array = 9;

GgufWriter small_file(bool numeric_tokens = false, std::uint64_t scores = 256, bool text_types = false) {
  GgufWriter out;
  out.key("tokenizer.ggml.model", string).string("gpt2");
  out.key("tokenizer.ggml.pre", string).string("gpt-2");
  out.key("tokenizer.ggml.tokens", array).put(numeric_tokens ? i32 : string).put(std::uint64_t{256});
  for (int b = 0; b < 256; ++b) {
    if (numeric_tokens) {
      out.body.put(std::int32_t{b});
    } else {
      out.body.string(text::to_byte_alphabet(std::string(1, static_cast<char>(b))));
    }
  }
  out.key("tokenizer.ggml.scores", array).put(f32).put(scores);
  for (std::uint64_t i = 0; i < scores; ++i) out.body.put(0.0f);
  out.key("tokenizer.ggml.token_type", array).put(text_types ? string : i32).put(std::uint64_t{256});
  for (int b = 0; b < 256; ++b) {
    if (text_types) {
      out.body.string("1");
    } else {
      out.body.put(std::int32_t{1});
    }
  }
  out.key("tokenizer.ggml.eos_token_id", u32).put(std::uint32_t{10});
  return out;
}

std::string code_of_file(const GgufWriter& writer) {
  const TemporaryFolder folder;
  const auto path = folder.file("a.gguf", writer.file());
  return code_of([&] { (void)Tokenizer::from_gguf(io::GgufFile(path)); });
}

}  // namespace

TEST_CASE("the tokenizer of a GGUF file is read from its metadata") {
  const TemporaryFolder folder;
  const auto tokenizer = Tokenizer::from_gguf(io::GgufFile(folder.file("a.gguf", small_file().file())));
  CHECK(tokenizer.vocab_size() == 256);
  CHECK(tokenizer.eos_id() == 10);
  CHECK(tokenizer.decode(tokenizer.encode("a \u00e9")) == "a \u00e9");
}

TEST_CASE("lists of another element type or length are refused") {
  CHECK(code_of_file(small_file()) == "none");
  CHECK(code_of_file(small_file(true)) == "vocab");
  CHECK(code_of_file(small_file(false, 255)) == "vocab");
  CHECK(code_of_file(small_file(false, 256, true)) == "vocab");
  GgufWriter merges = small_file();
  merges.key("tokenizer.ggml.merges", array).put(u32).put(std::uint64_t{1}).put(std::uint32_t{7});
  CHECK(code_of_file(merges) == "vocab");
  CHECK(code_of_file(GgufWriter()) == "missing_key");
}
