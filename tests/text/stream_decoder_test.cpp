#include "solopo/text/stream_decoder.hpp"

#include "catch.hpp"
#include "solopo/core/random.hpp"

using solopo::text::Utf8Stream;

TEST_CASE("half a character is held back until it is whole") {
  Utf8Stream stream;
  CHECK(stream.push("a\xe4").empty() == false);
  CHECK(stream.push("\xb8").empty());
  CHECK(stream.push("\xad"
                    "b") ==
        "\u4e2d"
        "b");
  CHECK(stream.finish().empty());
}

TEST_CASE("what can no longer become a character is replaced at once") {
  Utf8Stream stream;
  CHECK(stream.push("\xff") == "\ufffd");
  CHECK(stream.push("\xe4").empty());
  CHECK(stream.push("x") == "\ufffdx");
  CHECK(stream.push("\xed\xa0") == "\ufffd\ufffd");  // the start of a surrogate
  CHECK(stream.push("\xf0\x9f").empty());
  CHECK(stream.finish() == "\ufffd");
  CHECK(stream.finish().empty());
}

TEST_CASE("a stream of any bytes gives the text of the whole") {
  solopo::RandomStream random(5, "stream test");
  static constexpr std::string_view bytes = "ab\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\xff\x80\xed";
  bool equal = true;
  for (int run = 0; run < 2000; ++run) {
    std::string all, streamed;
    Utf8Stream stream;
    for (int n = 0; n < 20; ++n) {
      std::string part;
      for (auto k = random.below(3); k > 0; --k) part += bytes[random.below(bytes.size())];
      all += part;
      streamed += stream.push(part);
    }
    streamed += stream.finish();
    equal &= streamed == solopo::io::replace_invalid_utf8(all).text;
  }
  CHECK(equal);
}
