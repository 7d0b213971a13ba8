#include "solopo/text/tokenizer.hpp"

#include <chrono>
#include <thread>

#include "../io/test_files.hpp"
#include "catch.hpp"
#include "fixtures.hpp"

using namespace solopo;
using namespace solopo::test;
using Catch::Matchers::Contains;
using solopo::text::StreamDecoder;
using solopo::text::Tokenizer;

TEST_CASE("an id outside the vocabulary is refused by every function that takes one") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  const std::int32_t size = tokenizer.vocab_size();
  for (const std::int32_t id : {-1, size, std::numeric_limits<std::int32_t>::max()}) {
    const Ids ids = {0, id};
    CHECK_THROWS_WITH(tokenizer.decode(ids), Contains("ids[1]") && Contains(std::to_string(id)));
    CHECK_THROWS_AS(tokenizer.token(id), ArgumentError);
    CHECK_THROWS_AS(tokenizer.token_bytes(id), ArgumentError);
    CHECK_THROWS_AS(StreamDecoder(tokenizer).push(id), ArgumentError);
    CHECK_FALSE(tokenizer.is_special(id));
  }
}

TEST_CASE("text that is not UTF-8 is refused with the offset") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  for (const char* bad : {"ab\xff", "ab\xc0\x80", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80", "ab\xe4\xb8"}) {
    CHECK_THROWS_WITH(tokenizer.encode(bad), Contains("text[2]"));
  }
  RandomStream random(1, "bytes");
  for (int run = 0; run < 2000; ++run) {
    std::string bytes;
    for (auto n = random.below(12); n > 0; --n) bytes += static_cast<char>(random.below(256));
    if (io::find_invalid_utf8(bytes)) {
      CHECK_THROWS_AS(tokenizer.encode(bytes), ArgumentError);
      bytes = io::replace_invalid_utf8(bytes).text;
    }
    CHECK(tokenizer.decode(tokenizer.encode(bytes)) == bytes);
  }
}

TEST_CASE("markers in a text are text by default") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("llama3"));
  const auto end = tokenizer.find("<|eot_id|>");
  REQUIRE(end);
  const Ids plain = tokenizer.encode("a<|eot_id|>b"), parsed = tokenizer.encode("a<|eot_id|>b", true);
  CHECK(std::count(plain.begin(), plain.end(), *end) == 0);
  CHECK(std::count(parsed.begin(), parsed.end(), *end) == 1);
  CHECK(tokenizer.decode(plain) == "a<|eot_id|>b");
  CHECK(tokenizer.decode(parsed, true) == "ab");
}

TEST_CASE("encoding adds nothing, also where a post-processor would put bos before the text") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("llama3"));
  CHECK(tokenizer.adds_bos());
  CHECK(tokenizer.encode("").empty());
  const Ids ids = tokenizer.encode("Hello", true);
  CHECK(std::count(ids.begin(), ids.end(), *tokenizer.find("<|begin_of_text|>")) == 0);
}

TEST_CASE("a piece that is a token is found without merges only where merges are ignored") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("llama3"));
  CHECK(tokenizer.encode("xyzzy") == Ids{*tokenizer.find("xyzzy")});
  CHECK(tokenizer.encode(" Vi\u1ec7t").size() == 1);
  CHECK(tokenizer.encode("xyzzyx").size() > 1);

  auto document = nlohmann::json::parse(bytes_of(tokenizer_golden("llama3") / "tokenizer.json"));
  document["model"]["ignore_merges"] = false;
  const TemporaryFolder folder;
  (void)folder.file("tokenizer.json", document.dump());
  const auto merging = Tokenizer::from_folder(folder.path());
  CHECK(merging.encode("xyzzy").size() > 1);
  CHECK(merging.encode(" Vi\u1ec7t").size() > 1);
}

TEST_CASE("a vocabulary larger than the model is refused, a smaller one is not") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  tokenizer.require_rows(tokenizer.vocab_size());
  tokenizer.require_rows(tokenizer.vocab_size() + 64);
  CHECK_THROWS_WITH(tokenizer.require_rows(tokenizer.vocab_size() - 1), Contains("vocab_size"));
}

TEST_CASE("bytes the vocabulary lacks are listed") {
  CHECK(Tokenizer::from_folder(tokenizer_golden("gpt2")).missing_bytes().empty());
  auto document = nlohmann::json::parse(bytes_of(tokenizer_golden("odd") / "tokenizer.json"));
  document["model"]["unk_token"] = nullptr;
  const TemporaryFolder folder;
  (void)folder.file("tokenizer.json", document.dump());
  const auto tokenizer = Tokenizer::from_folder(folder.path());
  CHECK(tokenizer.missing_bytes() == std::vector<unsigned char>{0x04, 0x24, 0xc0, 0xf3});
  CHECK(tokenizer.decode(tokenizer.encode("a$b")) == "ab");
}

TEST_CASE("eight threads get the ids of one") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("qwen2"));
  const std::vector<std::string> pool = {" ",   "'s", "e\u0301",     "\u4e2d", "12",
                                         "The", "\n", "<tool_call>", "\ud55c"};
  std::vector<Ids> expected;
  for (std::uint64_t i = 0; i < 500; ++i)
    expected.push_back(tokenizer.encode(random_text(i, tokenizer, pool)));
  std::array<int, 8> different{};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < different.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 500; ++i) {
        different[t] += tokenizer.encode(random_text(i, tokenizer, pool)) != expected[i];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(different == std::array<int, 8>{});
}

TEST_CASE("a megabyte of one letter is encoded in seconds") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  const std::string text(std::size_t{1} << 20, 'a');
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = tokenizer.encode(text);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  CHECK(tokenizer.decode(ids) == text);
  CHECK(seconds.count() < 20);
}

TEST_CASE("cut characters decode to U+FFFD, and a stream waits for their other bytes") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  const Ids ids = tokenizer.encode("x\U0010fffdy");
  REQUIRE(ids.size() == 6);
  const std::span<const std::int32_t> all(ids);
  CHECK(tokenizer.decode(all.first(3)) == "x\ufffd");
  CHECK(tokenizer.decode(all.subspan(2)) == "\ufffd\ufffd\ufffdy");

  StreamDecoder stream(tokenizer);
  std::vector<std::string> parts;
  for (const std::int32_t id : ids) parts.push_back(stream.push(id));
  CHECK(parts == std::vector<std::string>{"x", "", "", "", "\U0010fffd", "y"});
  CHECK(stream.finish().empty());
  CHECK(stream.push(ids[1]).empty());
  CHECK(stream.finish() == "\ufffd");
}

TEST_CASE("a stream leaves special tokens out unless asked") {
  const auto tokenizer = Tokenizer::from_folder(tokenizer_golden("gpt2"));
  const std::int32_t end = *tokenizer.find("<|endoftext|>");
  CHECK(StreamDecoder(tokenizer).push(end).empty());
  CHECK(StreamDecoder(tokenizer, false).push(end) == "<|endoftext|>");
}
